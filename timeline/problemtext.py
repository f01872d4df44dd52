"""Problems for terminals and chat: lines of at most 100 columns, or Markdown.

The pages are `templates/problems` and `templates/now`. Times are UTC, because text travels.
"""

from collections.abc import Sequence
from datetime import UTC

from timeline import moments, signs
from timeline.addresses import absolute
from timeline.columns import wrapped
from timeline.plain import cell, one_line
from timeline.problem import Problem
from timeline.queries.affected import Affected
from timeline.queries.history import Entry
from timeline.quoting import indented, quote
from timeline.text import coded

WIDTH = 100
INDENT = "    "


def problem_lines(problems: Sequence[Problem], at_ns: int, form: str) -> str:
    """Each with its sentence, its numbers, and what follows from it."""
    return "\n".join(_lines(problem, at_ns, form) for problem in problems)


def list_head(count: int, state: str, more: bool) -> str:
    """The heading of a list in an issue's comment."""
    counted = f"{count:,}{' or more' if more else ''} {'problem' if count == 1 else 'problems'}"
    return f"### {counted if state == 'all' else f'{counted}, {state}'}"


def head(problem: Problem, at_ns: int, form: str) -> str:
    """One problem by itself: a heading in Markdown, and for a terminal its address too."""
    if form != "md":
        return f"{_lines(problem, at_ns, form)}\n{INDENT}{absolute(problem.path)}"
    effects = [f"- follows from it: {_named(effect)}" for effect in problem.effects]
    title = f"### {problem.sign.shape} [{cell(problem.title)}]({absolute(problem.path)})"
    told = [title, f"**{cell(_numbers(problem, at_ns))}**", coded(one_line(problem.why)), "\n".join(effects)]
    return "\n\n".join(part for part in told if part)


def heading(text: str, form: str) -> str:
    return f"**{text}**\n" if form == "md" else f"{text}:"


def foot(problem: Problem, form: str) -> str:
    return f"[This problem in Threadline]({absolute(problem.path)})" if form == "md" else ""


def _named(problem: Problem) -> str:
    return f"{problem.sign.shape} [{cell(problem.title)}]({absolute(problem.path)})"


def _numbers(problem: Problem, at_ns: int) -> str:
    """`stuck, open, since 2026-11-27 14:55:00.000 UTC, 3 h 12 m ago, 22 flows`."""
    grey = ", grey: nobody is told" if problem.is_grey and problem.is_standing else ""
    told = f"{problem.sign.word}, {problem.state}{grey}, {since(problem, at_ns)}"
    if problem.flows:
        told += f", {problem.flows:,} flow{'' if problem.flows == 1 else 's'}"
    return told if problem.is_here else f"{told}, {problem.environment}"


def since(problem: Problem, at_ns: int) -> str:
    """`since 2026-11-27 14:55:00.000 UTC, 3 h 12 m ago`, or from when to when."""
    opened = moments.full(problem.opened_ns, UTC)
    if problem.resolved_ns is None:
        return f"since {opened}, {moments.ago(problem.opened_ns, at_ns)}"
    took = moments.took(problem.resolved_ns - problem.opened_ns)
    return f"from {opened} to {moments.full(problem.resolved_ns, UTC)}, {took}"


def flow_lines(flows: Sequence[Affected], at_ns: int, form: str) -> str:
    """One line a flow: what it is, where it stands, what it waits for, since when it is wrong."""
    return "\n".join(_flow(one, at_ns, form) for one in flows)


def entry_lines(entries: Sequence[Entry], form: str) -> str:
    """Its timeline: one line an entry, longer ones wrapped; a note of several lines keeps them."""
    return "\n".join(_entry(entry, form) for entry in entries)


def _lines(problem: Problem, at_ns: int, form: str) -> str:
    sign, told = problem.sign, _numbers(problem, at_ns)
    effects = [f"{effect.sign.shape} {effect.title}" for effect in problem.effects]
    if form == "md":
        title = f"[{cell(problem.title)}]({absolute(problem.path)})"
        below = "".join(f"\n  - follows from it: {cell(effect)}" for effect in effects)
        return f"- {sign.shape} **{title}** ({cell(told)})  \n  {cell(problem.why)}{below}"
    lines = [one_line(f"{sign.shape} {problem.title}", WIDTH), *_indented(told), *_indented(problem.why)]
    lines += [one_line(f"{INDENT}follows from it: {effect}", WIDTH) for effect in effects]
    return "\n".join(lines)


def _flow(one: Affected, at_ns: int, form: str) -> str:
    parts = [one.flow.title if one.flow else f"{one.identity.hex()} (no longer kept)"]
    if one.flow and one.flow.standing:
        parts.append(one.flow.standing)
    if one.standing and one.standing.ended_badly:
        parts.append(signs.BAD_END.word)
    if one.standing and (waits := waiting(one.standing.awaited_step, one.standing.awaited_system)):
        parts.append(f"waits for {waits}")
    end = one.until_ns if one.until_ns is not None else at_ns
    parts.append(
        f"{'wrong for' if one.until_ns is None else 'was wrong for'} {moments.took(end - one.since_ns)}"
    )
    text = " · ".join(parts)
    if form != "md":
        return one_line(f"{INDENT}{text}", WIDTH)
    rest = " · ".join(parts[1:])
    return (
        f"- [{cell(parts[0])}]({absolute(one.flow.path)}) · {cell(rest)}" if one.flow else f"- {cell(text)}"
    )


def waiting(step: str, system: str) -> str:
    """`shipment.created from wms`; empty where nothing certain is awaited."""
    return f"{step or 'anything'} from {system}" if system else step


def _entry(entry: Entry, form: str) -> str:
    name = f"{entry.name}: " if entry.name else ""
    said = ": ".join(part for part in (entry.happened, entry.rest) if part) or entry.text
    at = f"{moments.full(entry.at_ns, UTC)} {entry.sign.shape}"
    if entry.what == "note" and len(said.splitlines()) > 1:
        return _note(f"{at} {entry.name or 'note'}:", said, form)
    text = f"{at} {name}{said}"
    return f"- {cell(text)}" if form == "md" else "\n".join(_indented(text))


def _note(head: str, text: str, form: str) -> str:
    if form == "md":
        return "\n".join([f"- {cell(head)}", "", *(f"  {line}" for line in quote(text)), ""])
    lines = indented(text, WIDTH - 2 * len(INDENT))
    return "\n".join([*_indented(head), *(f"{INDENT}{INDENT}{line}".rstrip() for line in lines)])


def _indented(text: str) -> list[str]:
    """A paragraph in indented lines; none of no text."""
    flat = one_line(text).strip()
    return [f"{INDENT}{line}" for line in wrapped(flat, WIDTH - len(INDENT))] if flat else []
