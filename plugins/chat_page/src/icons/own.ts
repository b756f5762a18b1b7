// The icons of the chat's own buttons, which are there from the start.

import ArrowDown from "lucide/icons/arrow-down";
import Check from "lucide/icons/check";
import ChevronDown from "lucide/icons/chevron-down";
import ChevronLeft from "lucide/icons/chevron-left";
import ChevronRight from "lucide/icons/chevron-right";
import Circle from "lucide/icons/circle";
import CircleAlert from "lucide/icons/circle-alert";
import CircleQuestionMark from "lucide/icons/circle-question-mark";
import Copy from "lucide/icons/copy";
import Dot from "lucide/icons/dot";
import Download from "lucide/icons/download";
import EllipsisVertical from "lucide/icons/ellipsis-vertical";
import FileText from "lucide/icons/file-text";
import Globe from "lucide/icons/globe";
import History from "lucide/icons/rotate-ccw-clock";
import Image from "lucide/icons/image";
import Info from "lucide/icons/info";
import Lightbulb from "lucide/icons/lightbulb";
import Mic from "lucide/icons/mic";
import Paperclip from "lucide/icons/paperclip";
import Pencil from "lucide/icons/pencil";
import Plus from "lucide/icons/plus";
import RotateCcw from "lucide/icons/rotate-ccw";
import Search from "lucide/icons/search";
import Send from "lucide/icons/send";
import Square from "lucide/icons/square";
import SquarePen from "lucide/icons/square-pen";
import ThumbsDown from "lucide/icons/thumbs-down";
import ThumbsUp from "lucide/icons/thumbs-up";
import Trash2 from "lucide/icons/trash";
import TriangleAlert from "lucide/icons/triangle-alert";
import WifiOff from "lucide/icons/wifi-off";
import Wrench from "lucide/icons/wrench";
import X from "lucide/icons/x";

/** The parts of an icon: tags with their attributes, in a box of 24 by 24. */
export type IconNode = [tag: string, attributes: Record<string, unknown>][];

export const own = {
	"arrow-down": ArrowDown,
	attach: Paperclip,
	check: Check,
	"chevron-down": ChevronDown,
	"chevron-left": ChevronLeft,
	"chevron-right": ChevronRight,
	"circle-question": CircleQuestionMark,
	close: X,
	compose: SquarePen,
	copy: Copy,
	danger: CircleAlert,
	document: FileText,
	dot: Dot,
	"dots-vertical": EllipsisVertical,
	download: Download,
	"empty-circle": Circle,
	globe: Globe,
	history: History,
	image: Image,
	info: Info,
	lightbulb: Lightbulb,
	mic: Mic,
	offline: WifiOff,
	plus: Plus,
	reload: RotateCcw,
	search: Search,
	send: Send,
	stop: Square,
	"thumbs-down": ThumbsDown,
	"thumbs-up": ThumbsUp,
	tool: Wrench,
	trash: Trash2,
	warning: TriangleAlert,
	write: Pencil,
} satisfies Record<string, IconNode>;
