"""Age, sex and performance status: from trees to forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.draft.nodes import Node, part, parts, terminals, tokens_in, whole, window
from cds.content.draft.proposal import Form, FormValue, Unclear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.content.draft.tokens import Word

_OLDEST = 120
_WORST = 5
_KEYS = {"GE": "at_least", "LE": "at_most", "GT": "above", "LT": "below"}


def age(node: Node, words: Sequence[Word]) -> Form:
    """Completed years. "Above 18" is left open: it is meant as 18 or 19 by different people."""
    said = {one.data for one in node.iter_subtrees()}
    if not said & {"said_age", "years", "older", "younger"}:
        raise Unclear
    numbers = [whole(token, words) for token in terminals(node, "NUM")]
    if any(not 0 < years <= _OLDEST for years in numbers):
        raise Unclear
    bounds: dict[str, int] = {}
    if node.data == "age_range":
        bounds = {"at_least": numbers[0], "at_most": numbers[1]}
    elif node.data == "age_older":
        bounds = {"at_least": numbers[0]}
    elif node.data == "age_younger":
        bounds = {"at_most": numbers[0]}
    else:
        for sign, years in zip(parts(node, "age_sign"), numbers, strict=True):
            key, bound = _age_bound(sign, years)
            if key in bounds:
                raise Unclear
            bounds[key] = bound
    if "at_least" in bounds and "at_most" in bounds and bounds["at_least"] >= bounds["at_most"]:
        raise Unclear
    form: dict[str, FormValue] = {"age": "completed years"}
    form |= {key: bounds[key] for key in ("at_least", "at_most") if key in bounds}
    return form


def _age_bound(node: Node, years: int) -> tuple[str, int]:
    signs = [token.type for token in tokens_in(node)]
    if signs == ["GE"]:
        return "at_least", years
    if signs == ["LE"]:
        return "at_most", years
    if signs == ["LT"]:
        return "at_most", years - 1
    raise Unclear


def sex(node: Node) -> Form:
    """Either sex, or one."""
    said = parts(node)[0].data
    return {"sex": {"any_sex": "any", "only_female": "female", "only_male": "male"}[str(said)]}


def ecog(node: Node, words: Sequence[Word], look_back: str | None) -> Form:
    """The bounds of a performance status; scores that leave gaps are for a human."""
    if parts(node, "relaxed", "relaxed_to"):
        raise Unclear
    said = parts(node, "look_back")
    if len(said) > 1 or (said and look_back):
        raise Unclear
    back = window(parts(said[0], "window")[0], words) if said else look_back
    scores = part(node, "score_range", "score_list", "score_sign", "score_less")
    if scores is None:
        raise Unclear
    bounds = _scores(scores, words)
    form: dict[str, str] = {"lab": "ecog"}
    form |= {key: f"{value} {{score}}" for key, value in bounds.items()}
    if back:
        form["look_back"] = back
    return form


def _scores(node: Node, words: Sequence[Word]) -> dict[str, int]:
    numbers = [whole(token, words) for token in terminals(node, "NUM")]
    if any(not 0 <= score <= _WORST for score in numbers):
        raise Unclear
    if node.data == "score_sign":
        sign = next(iter(tokens_in(parts(node, "sign")[0])))
        return {_KEYS[sign.type]: numbers[0]}
    if node.data == "score_less":
        return {"at_most": numbers[0]}
    low, high = numbers[0], numbers[-1]
    if low >= high or (node.data == "score_list" and numbers != list(range(low, high + 1))):
        raise Unclear
    return {"at_most": high} if low == 0 else {"at_least": low, "at_most": high}
