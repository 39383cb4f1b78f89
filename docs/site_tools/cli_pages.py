"""The reference of the command line: what ``--help`` says of each command."""

from __future__ import annotations

import argparse
import os

WIDTH = 92


def cli_page(parser: argparse.ArgumentParser) -> str:
    """Markdown with the help of the program and of each of its commands."""
    os.environ["COLUMNS"] = str(WIDTH)  # argparse asks for the width of the terminal
    lines = ["# Command line", "", *_block(parser)]
    for name, command in _commands(parser).items():
        lines += [f"(command-{name})=", f"## {parser.prog} {name}", "", *_block(command)]
    return "\n".join(lines)


def _block(parser: argparse.ArgumentParser) -> list[str]:
    return ["````text", parser.format_help().strip(), "````", ""]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
