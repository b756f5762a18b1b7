// The icons of ChatKit's names that the chat's own buttons do not have. Loaded when one is shown.

import type { ChatKitIcon, HeaderIcon, Widgets } from "@openai/chatkit";
import ArrowLeft from "lucide/icons/arrow-left";
import ArrowLeftFromLine from "lucide/icons/arrow-left-from-line";
import ArrowLeftToLine from "lucide/icons/arrow-left-to-line";
import ArrowRightFromLine from "lucide/icons/arrow-right-from-line";
import ArrowRightToLine from "lucide/icons/arrow-right-to-line";
import Atom from "lucide/icons/atom";
import Award from "lucide/icons/award";
import Book from "lucide/icons/book";
import BookOpen from "lucide/icons/book-open";
import Bot from "lucide/icons/bot";
import Box from "lucide/icons/box";
import Briefcase from "lucide/icons/briefcase";
import Bug from "lucide/icons/bug";
import Calendar from "lucide/icons/calendar";
import ChartColumn from "lucide/icons/chart-column";
import ChartNoAxesCombined from "lucide/icons/chart-no-axes-combined";
import ChevronsLeft from "lucide/icons/chevrons-left";
import ChevronsRight from "lucide/icons/chevrons-right";
import CircleCheck from "lucide/icons/circle-check";
import CircleEllipsis from "lucide/icons/circle-ellipsis";
import CircleUser from "lucide/icons/circle-user";
import Clock from "lucide/icons/clock";
import Compass from "lucide/icons/compass";
import Ellipsis from "lucide/icons/ellipsis";
import Expand from "lucide/icons/expand";
import ExternalLink from "lucide/icons/external-link";
import File from "lucide/icons/file";
import FileClock from "lucide/icons/file-clock";
import FlaskConical from "lucide/icons/flask-conical";
import House from "lucide/icons/house";
import IdCard from "lucide/icons/id-card";
import Image from "lucide/icons/image";
import Images from "lucide/icons/images";
import KeyRound from "lucide/icons/key-round";
import Layers from "lucide/icons/layers";
import LayoutGrid from "lucide/icons/layout-grid";
import LifeBuoy from "lucide/icons/life-buoy";
import Mail from "lucide/icons/mail";
import Map from "lucide/icons/map";
import MapPin from "lucide/icons/map-pin";
import Maximize2 from "lucide/icons/maximize-2";
import Menu from "lucide/icons/menu";
import MessageCircleDashed from "lucide/icons/message-circle-dashed";
import Minimize2 from "lucide/icons/minimize-2";
import Monitor from "lucide/icons/monitor";
import Moon from "lucide/icons/moon";
import Notebook from "lucide/icons/notebook";
import NotebookPen from "lucide/icons/notebook-pen";
import PanelLeft from "lucide/icons/panel-left";
import PanelLeftClose from "lucide/icons/panel-left-close";
import PanelLeftDashed from "lucide/icons/panel-left-dashed";
import PanelLeftOpen from "lucide/icons/panel-left-open";
import PanelRight from "lucide/icons/panel-right";
import PanelRightClose from "lucide/icons/panel-right-close";
import PanelRightDashed from "lucide/icons/panel-right-dashed";
import PanelRightOpen from "lucide/icons/panel-right-open";
import PartyPopper from "lucide/icons/party-popper";
import PenLine from "lucide/icons/pen-line";
import Phone from "lucide/icons/phone";
import Play from "lucide/icons/play";
import Settings from "lucide/icons/settings";
import Share from "lucide/icons/share";
import Shrink from "lucide/icons/shrink";
import SlidersHorizontal from "lucide/icons/sliders-horizontal";
import Smartphone from "lucide/icons/smartphone";
import Sparkle from "lucide/icons/sparkle";
import Sparkles from "lucide/icons/sparkles";
import SquareCode from "lucide/icons/square-code";
import SquareMenu from "lucide/icons/square-menu";
import SquareText from "lucide/icons/square-text";
import Star from "lucide/icons/star";
import Sun from "lucide/icons/sun";
import Tag from "lucide/icons/tag";
import User from "lucide/icons/user";
import Zap from "lucide/icons/zap";
import type { IconNode, own } from "./own.ts";

type Published = Exclude<ChatKitIcon | HeaderIcon | Widgets.WidgetIcon, `lucide:${string}`>;
type Named = Exclude<Published, keyof typeof own>;

const solid = { fill: "currentColor" };

/** A circle out of which a check mark is cut. */
const CHECKED =
	"M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Z" +
	"M8.3 12.7 11 15.4l4.7-4.7-1.4-1.4L11 12.6l-1.3-1.3Z";

const VERTICAL: IconNode = [
	["circle", { cx: 12, cy: 12, r: 10 }],
	...[8, 12, 16].map((cy): IconNode[number] => ["path", { d: `M12 ${cy}h.01` }]),
];

const named: Record<Named, IconNode | keyof typeof own> = {
	agent: Bot,
	analytics: ChartNoAxesCombined,
	atom: Atom,
	"back-large": ArrowLeft,
	"back-small": [["path", { d: "m14 16-4-4 4-4" }]],
	batch: Layers,
	bolt: Zap,
	"book-clock": FileClock,
	"book-closed": Book,
	"book-open": BookOpen,
	bug: Bug,
	calendar: Calendar,
	chart: ChartColumn,
	"chat-temporary": MessageCircleDashed,
	"check-circle": CircleCheck,
	"check-circle-filled": [["path", { d: CHECKED, ...solid, "fill-rule": "evenodd", stroke: "none" }]],
	clock: Clock,
	"collapse-large": Minimize2,
	"collapse-left": ArrowLeftToLine,
	"collapse-right": ArrowRightToLine,
	"collapse-small": Shrink,
	compass: Compass,
	confetti: PartyPopper,
	cube: Box,
	"dark-mode": Moon,
	desktop: Monitor,
	"dots-horizontal": Ellipsis,
	"dots-horizontal-circle": CircleEllipsis,
	"dots-vertical-circle": VERTICAL,
	"double-chevron-left": ChevronsLeft,
	"double-chevron-right": ChevronsRight,
	"expand-large": Maximize2,
	"expand-small": Expand,
	"external-link": ExternalLink,
	grid: LayoutGrid,
	hamburger: Menu,
	home: House,
	"home-alt": House.slice(1),
	images: Images,
	keys: KeyRound,
	lab: FlaskConical,
	lifesaver: LifeBuoy,
	"light-mode": Sun,
	mail: Mail,
	"map-pin": MapPin,
	maps: Map,
	menu: Menu,
	"menu-inverted": SquareMenu,
	mobile: Smartphone,
	name: Tag,
	notebook: Notebook,
	"notebook-pencil": NotebookPen,
	"open-left": ArrowLeftFromLine,
	"open-right": ArrowRightFromLine,
	"page-blank": File,
	phone: Phone,
	play: Play,
	profile: CircleUser,
	"profile-card": IdCard,
	"settings-cog": Settings,
	"settings-slider": SlidersHorizontal,
	share: Share,
	"sidebar-collapse-left": PanelLeftClose,
	"sidebar-collapse-right": PanelRightClose,
	"sidebar-floating-left": PanelLeftDashed,
	"sidebar-floating-open-left": PanelLeftOpen,
	"sidebar-floating-open-right": PanelRightOpen,
	"sidebar-floating-right": PanelRightDashed,
	"sidebar-left": PanelLeft,
	"sidebar-open-left": PanelLeftOpen,
	"sidebar-open-left-alt": ArrowRightFromLine,
	"sidebar-open-right": PanelRightOpen,
	"sidebar-open-right-alt": ArrowLeftFromLine,
	"sidebar-right": PanelRight,
	sparkle: Sparkle,
	"sparkle-double": Sparkles,
	"square-code": SquareCode,
	"square-image": Image,
	"square-text": SquareText,
	star: Star,
	"star-filled": Star.map(([tag, attributes]) => [tag, { ...attributes, ...solid }]),
	suitcase: Briefcase,
	user: User,
	wreath: Award,
	"write-alt": "compose",
	"write-alt2": PenLine,
};

export default named as Readonly<Record<string, IconNode | string>>;
