"""What users are told whose turn is refused, and after how many seconds they may come again."""

from __future__ import annotations

from typing import Literal

from chatkit_server import ServerError, TooManyRequests, Unavailable, words, words_n

Scope = Literal["user", "tenant", "server"]

SCOPES: tuple[Scope, ...] = ("user", "tenant", "server")

TURNS_RETRY = 5
"""Seconds after which to ask again for a place of a turn: nobody knows when one ends."""


def no_place(scope: Scope, limit: int) -> ServerError:
    """Return the error for too many turns at once."""
    if scope == "server":
        busy = words("The server is busy. Try again in a moment.")
        return Unavailable(busy, retry_after=TURNS_RETRY)
    if scope == "tenant":
        told = words_n(
            "Your organization has {n} answer running or waiting. Wait until it ends.",
            "Your organization has {n} answers running or waiting. Wait until one of them ends.",
            limit,
            n=limit,
        )
    else:
        told = words_n(
            "You have {n} answer running or waiting. Wait until it ends.",
            "You have {n} answers running or waiting. Wait until one of them ends.",
            limit,
            n=limit,
        )
    return TooManyRequests(told, retry_after=TURNS_RETRY)


def used_up(kind: Literal["requests", "tokens"], scope: Scope, seconds: int) -> ServerError:
    """Return the error for a window that is used up, and ends in so many seconds."""
    wait = _wait(seconds)
    if scope == "server":
        told = words("The server has answered as much as it may for now. {wait}", wait=wait)
        return Unavailable(told, retry_after=seconds)
    if kind == "tokens" and scope == "user":
        told = words("You have used up your quota. {wait}", wait=wait)
    elif kind == "tokens":
        told = words("Your organization has used up its quota. {wait}", wait=wait)
    elif scope == "user":
        told = words("You have sent as many messages as you may for now. {wait}", wait=wait)
    else:
        told = words(
            "Your organization has sent as many messages as it may for now. {wait}", wait=wait
        )
    return TooManyRequests(told, retry_after=seconds)


def _wait(seconds: int) -> str:
    """Return when to try again, never too early."""
    if seconds <= 90:
        return words_n("Try again in {n} second.", "Try again in {n} seconds.", seconds, n=seconds)
    minutes = -(-seconds // 60)
    if minutes <= 90:
        return words_n("Try again in {n} minute.", "Try again in {n} minutes.", minutes, n=minutes)
    hours = -(-minutes // 60)
    if hours <= 48:
        return words_n("Try again in {n} hour.", "Try again in {n} hours.", hours, n=hours)
    days = -(-hours // 24)
    return words_n("Try again in {n} day.", "Try again in {n} days.", days, n=days)
