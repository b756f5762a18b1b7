"""The widgets."""

from __future__ import annotations

from collections.abc import Mapping

from chatkit.actions import ActionConfig
from chatkit.widgets import Button, Card, ListView, ListViewItem, Markdown, Text, WidgetRoot


def pantry_card(stock: Mapping[str, int], *, used: str | None = None) -> WidgetRoot:
    """List what is in stock; an item that was just used is marked."""
    rows = [
        ListViewItem(
            key=name,
            children=[
                Text(value=f"{count} of {name}", weight="bold" if name == used else "normal")
            ],
            onClickAction=ActionConfig(type="pantry.use", payload={"name": name}),
        )
        for name, count in stock.items()
    ]
    return ListView(children=rows, limit="auto")


def recipe_card(text: str, *, ready: bool = False) -> WidgetRoot:
    """Show a recipe as far as it is written."""
    return Card(
        children=[
            Markdown(id="recipe", value=text, streaming=not ready),
            Button(label="Cook", disabled=not ready, onClickAction=ActionConfig(type="cook")),
        ]
    )
