"""An element with every option, and a conversation with every item."""

from __future__ import annotations

from typing import Any

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    CustomSummary,
    CustomTask,
    EntitySource,
    FileAttachment,
    FileSource,
    FileTask,
    GeneratedImage,
    GeneratedImageItem,
    ImageTask,
    InferenceOptions,
    SearchTask,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThoughtTask,
    ThreadItem,
    ToolChoice,
    URLSource,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot

from tests.page.site import PICTURE, answered, fresh

ALL_OPTIONS = """
(given) => {
  const tea = { id: "tea_1", title: "Assam", icon: "cube", interactive: true, group: "Teas" };
  const pot = { id: "pot_1", title: "Teapot", group: "Things", data: { colour: "blue" } };
  return {
    ...given,
    header: {
      leftAction: { icon: "menu", onClick: () => {} },
      rightAction: { icon: "settings-cog", onClick: () => {} },
    },
    history: { enabled: true, showDelete: true, showRename: true },
    startScreen: {
      greeting: "What would you like to drink?",
      prompts: [
        { label: "Show a card", prompt: "Show a card", icon: "cube" },
        { label: "Draw a sunset", prompt: "Draw", icon: "images" },
        { label: "Cite", prompt: "Cite" },
      ],
    },
    threadItemActions: { feedback: true, retry: true },
    disclaimer: { text: "Tea can be hot. [Read more](https://example.com)." },
    composer: {
      placeholder: "Ask about tea",
      attachments: { enabled: true },
      tools: [
        { id: "search", label: "Search the shop", icon: "search", shortLabel: "Search",
          placeholderOverride: "What do you look for?" },
        { id: "brew", label: "Brew", icon: "bolt", pinned: true },
      ],
      models: [
        { id: "demo/todo", label: "Quick", description: "For small things", default: true },
        { id: "demo/slow", label: "Thorough", description: "For large things" },
        { id: "demo/none", label: "Retired", disabled: true },
      ],
      dictation: { enabled: true },
    },
    entities: {
      onTagSearch: async (query) =>
        [tea, pot].filter(({ title }) => title.toLowerCase().includes(query.toLowerCase())),
      onClick: (entity) => { window.clicked = entity; },
      onRequestPreview: async (entity) => ({
        preview: { type: "Basic", children: [{ type: "Text", value: `About ${entity.title}` }] },
      }),
      showComposerMenu: true,
    },
    commands: {
      enabled: true,
      onSearch: async () => [
        { id: "brew", label: "Brew tea", description: "Puts the kettle on", icon: "bolt" },
        { id: "pick", label: "Pick a tea", group: "Teas" },
      ],
      onSelect: async ({ id }) => (id === "pick" ? { type: "entity", entity: tea } : undefined),
    },
    widgets: { onAction: async (action) => { window.acted = action; } },
    onClientTool: async ({ name }) => ({ name, place: "the kitchen" }),
  };
}
"""
"""A script for `chat_page`: every option that a page can set."""

MARKDOWN = (
    """\
# Tea

It needs **hot** water, *time*, and ~~milk~~ a cup[^1]. See [all about tea](https://example.com/tea).

1. Boil `water`
2. Wait
   - two minutes for *Sencha*
   - three for Assam

> Tea is the answer.

| tea | minutes | degrees |
|---|---:|:---:|
| Sencha | 2 | 70 |
| Assam | 3 | 95 |

```python
def brew(tea: str, minutes: int = 3) -> str:
    return f"{tea}, after {minutes} minutes"  # a very long line, so that it has to be scrolled here
```

- [x] kettle
- [ ] cup

$$ t = \\frac{m}{4} + \\sqrt{d} $$

---

Averylongwordwithoutanyplacetobreakit"""
    + "andonandon" * 12
)

PAGE = URLSource(
    title="All about tea", url="https://example.com/tea", attribution="example.com", group="Web"
)
BOOK = FileSource(title="The tea book", filename="tea.pdf", description="Chapter 3")
SHOP = EntitySource(
    id="shop_1", title="Tea shop", icon="map-pin", label="Place", interactive=True, data={"a": "b"}
)


def every_item() -> list[ThreadItem]:
    """Return a conversation with an item of every kind, as a server might store it."""
    return [*_messages(), *_work(), *_asked()]


def _messages() -> list[ThreadItem]:
    text = "Green tea needs water of 80 degrees, and three minutes."
    sources = (PAGE, 9), (BOOK, 38), (SHOP, len(text))
    annotations = [Annotation(source=source, index=index) for source, index in sources]
    file = FileAttachment(id="atc_1", name="tea list.pdf", mime_type="application/pdf")
    tag = UserMessageTagContent(id="tea_1", text="Assam", data={}, interactive=True)
    question = UserMessageItem(
        **fresh("usr"),
        content=[UserMessageTextContent(text="Tell me about "), tag],
        attachments=[file],
        quoted_text="Tea is the answer.",
        inference_options=InferenceOptions(tool_choice=ToolChoice(id="search")),
    )
    cited = AssistantMessageContent(text=text, annotations=annotations)
    answer = answered("")
    return [question, answered(MARKDOWN), answer.model_copy(update={"content": [cited]})]


def _work() -> list[ThreadItem]:
    search = SearchTask(title="Searched the web", queries=["tea", "how to brew"], sources=[PAGE])
    tasks = [
        search,
        FileTask(title="Read a book", sources=[BOOK]),
        ImageTask(title="Looked at a picture"),
        ThoughtTask(title="Thought about it", content="Green tea needs **less** heat."),
        CustomTask(title="Asked a friend", content="She prefers Assam.", icon="phone"),
    ]
    summary = CustomSummary(title="Learned about tea", icon="book-open")
    workflow = Workflow(type="custom", tasks=[*tasks], summary=summary, expanded=True)
    thoughts = Workflow(type="reasoning", tasks=[ThoughtTask(content="Which tea is best?")])
    picture = GeneratedImage(id="img_1", url=PICTURE)
    return [
        WorkflowItem(**fresh("wfl"), workflow=workflow),
        WorkflowItem(**fresh("wfl"), workflow=thoughts),
        TaskItem(**fresh("tsk"), task=search),
        GeneratedImageItem(**fresh("img"), image=picture),
    ]


def _asked() -> list[ThreadItem]:
    teas = [StructuredInputMultipleChoiceOption(value=tea) for tea in ("Assam", "Sencha")]
    tea = StructuredInputMultipleChoice(id="tea", question="Which teas?", options=teas)
    cup = StructuredInputFreeform(id="cup", question="Which cup?", description="Any that you have")
    return [
        WidgetItem(**fresh("wgt"), widget=order(), copy_text="Order 7"),
        WidgetItem(**fresh("wgt"), widget=form(), copy_text="A form"),
        answered("Which one?"),
        StructuredInputItem(**fresh("inp"), inputs=[tea, cup]),
    ]


def order() -> DynamicWidgetRoot:
    act = {"type": "track"}
    badge = {"type": "Badge", "label": "Shipped", "color": "success"}
    button = {"type": "Button", "label": "Like", "size": "sm", "onClickAction": act}
    return _root(
        "Card",
        {"type": "Title", "value": "Your order"},
        {"type": "Text", "value": "One kettle and two cups."},
        {"type": "Divider"},
        {"type": "Row", "children": [badge, {"type": "Spacer"}, button]},
        status={"text": "Tea shop", "icon": "globe"},
        confirm={"label": "Where is it?", "action": act},
        cancel={"label": "Hide", "action": act},
    )


def form() -> DynamicWidgetRoot:
    teas = [{"value": tea, "label": tea.capitalize()} for tea in ("assam", "sencha")]
    fields: list[dict[str, Any]] = [
        {"type": "Label", "value": "Name", "fieldName": "name"},
        {"type": "Input", "name": "name", "placeholder": "Your name", "required": True},
        {"type": "Select", "name": "tea", "options": teas, "placeholder": "Tea"},
        {"type": "RadioGroup", "name": "size", "options": teas, "defaultValue": "assam"},
        {"type": "DatePicker", "name": "day", "placeholder": "Day"},
        {"type": "Checkbox", "name": "gift", "label": "It is a present"},
        {"type": "Textarea", "name": "note", "placeholder": "Note"},
        {"type": "Button", "label": "Order", "submit": True, "style": "primary"},
    ]
    whole = {"type": "Form", "onSubmitAction": {"type": "order"}, "children": fields}
    return _root("Card", whole)


def _root(type: str, *children: dict[str, Any], **rest: Any) -> DynamicWidgetRoot:
    return DynamicWidgetRoot.model_validate({"type": type, "children": [*children], **rest})
