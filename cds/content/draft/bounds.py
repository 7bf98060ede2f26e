"""Tests and their bounds: from the tree of a clause to `lab` forms."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cds.content.draft.nodes import (
    Node,
    extent,
    number,
    part,
    parts,
    terminals,
    tokens_in,
    window,
    word,
)
from cds.content.draft.proposal import Form, FormValue, Proposal, Unclear

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cds.content.draft.lexicon import Lexicon
    from cds.content.draft.tokens import Word

_KEYS = {"GE": "at_least", "LE": "at_most", "GT": "above", "LT": "below"}
_LOW, _HIGH = frozenset({"at_least", "above"}), frozenset({"at_most", "below"})
# What a protocol may ask for, in the unit of the concept. A number outside was misread or mistyped.
_SENSIBLE: Mapping[str, tuple[int | str, int | str]] = {
    "albumin": (15, 60), "alt": (5, 2000), "ast": (5, 2000), "anc": ("0.1", 20), "aptt": (15, 150),
    "bilirubin_total": (3, 500), "creatinine_serum": (20, 1000), "fasting_glucose": (2, 30),
    "hemoglobin": (40, 220), "inr": ("0.8", 10), "platelets": (5, 1500), "pt": (8, 100),
    "tsh": ("0.01", 150), "urine_protein_24h": ("0.05", 20), "urine_protein_dipstick": (1, 4),
    "lvef": (10, 80), "qtc": (350, 600), "systolic_bp": (60, 250), "diastolic_bp": (30, 150),
    "hbv_dna": (1, 10_000_000_000),
}  # fmt: skip
_MULTIPLES = Decimal("0.5"), Decimal(30)
# Enzymes, waste products and clotting: what protocols compare with the upper limit of normal.
_AGAINST_ULN = frozenset(
    {"alt", "ast", "bilirubin_total", "bun", "creatinine_serum", "pt", "aptt", "inr", "tsh",
     "hbv_dna"}
)  # fmt: skip
# Which end of these a protocol limits. The other one is a slip of the pen, or of the heading above.
_ENOUGH = frozenset({"anc", "platelets", "hemoglobin", "albumin", "lvef"})
_NOT_TOO_MUCH = frozenset(
    {"alt", "ast", "bilirubin_total", "bun", "creatinine_serum", "pt", "aptt", "inr", "qtc",
     "urine_protein_24h", "urine_protein_dipstick"}
)  # fmt: skip
_GRAMS_A_DAY = {"g": Decimal(1), "mg": Decimal("0.001")}


class Bounds:
    """Reads the clauses of one sentence."""

    def __init__(self, words: Sequence[Word], lexicon: Lexicon, *, excluding: bool) -> None:
        self.words = words
        self.lexicon = lexicon
        self.excluding = excluding

    def labs(self, node: Node, look_back: str | None) -> list[Proposal]:
        """One proposal for each test of a clause; those without a concept are for a human."""
        names = parts(node, "lab_names")[0]
        self._joined(names)
        first, last = extent(node)
        return [
            Proposal(self._form(lab, node, look_back), first, last, self._why_human(lab, node))
            for lab in parts(names, "lab_name")
        ]

    def _why_human(self, lab: Node, node: Node) -> str:
        """What keeps a test from a form though its words are understood; '' where nothing does."""
        if not self.concept(lab):
            return "its test is none of the concepts in mappings/concepts.tsv"
        return "a remark on its test is for a human" if parts(node, "remark") else ""

    def _joined(self, names: Node) -> None:
        """Whether "and" and "or" between tests can mean one thing only."""
        ands = parts(names, "lab_and")
        ors = parts(names, "lab_or")
        if (ors and not self.excluding) or (ands and self.excluding):
            raise Unclear

    def concept(self, lab: Node) -> str:
        """The concept of a named test, '' for one without; its abbreviation must agree."""
        tokens = [word(token, self.words) for token in tokens_in(lab)]
        if lab.data == "lab_name" and terminals(lab, "OTHER_LAB"):
            return ""
        keys = {key for token in tokens for key in token.keys}
        if len(keys) != 1:
            raise Unclear
        return keys.pop()

    def _form(self, lab: Node, node: Node, look_back: str | None) -> Form | None:
        if self._why_human(lab, node):
            return None
        key = self.concept(lab)
        if parts(node, "echo") and key != "lvef":
            raise Unclear
        self._check_again(key, node)
        bound = parts(node, "bound")[0]
        inner = parts(bound)[0]
        self._check_direction(key, inner)
        relaxed = parts(node, "relaxed", "relaxed_to")
        said = parts(node, "look_back")
        if len(said) > 1 or len(relaxed) > 1 or (said and look_back):
            raise Unclear
        back = window(parts(said[0], "window")[0], self.words) if said else look_back
        extra: dict[str, FormValue] = {"look_back": back} if back else {}
        if inner.data == "by_sex":
            if relaxed:
                raise Unclear
            return {"lab": key, **self._by_sex(key, inner), **extra}
        limits = self.limits(key, inner)
        strict: Form = {"lab": key, **limits, **extra}
        if not relaxed:
            return strict
        limited = {self.concept(one) for one in parts(parts(node, "lab_names")[0], "lab_name")}
        return self._relax(key, strict, limits, relaxed[0], extra, limited)

    def _check_again(self, key: str, node: Node) -> None:
        """Whether a bound that is said again in brackets, in another unit, is the same one."""
        said = [self.amount(key, one) for one in parts(node, "again")]
        bound = parts(parts(node, "bound")[0])[0]
        if said and said != [self.amount(key, one) for one in parts(bound, "amount")]:
            raise Unclear

    def _check_direction(self, key: str, node: Node) -> None:
        """Whether the text limits the end of the scale that it must mean."""
        signs = {_KEYS[token.type] for one in parts(node, "sign") for token in tokens_in(one)}
        signs |= {"limit_up": {"at_least"}, "limit_down": {"at_most"}}.get(str(node.data), set())
        wrong = _HIGH if (key in _ENOUGH) is not self.excluding else _LOW
        if key in _ENOUGH | _NOT_TOO_MUCH and signs & wrong:
            raise Unclear

    def limits(self, key: str, node: Node) -> dict[str, FormValue]:
        """The bounds of a limit: `at_least` and so on, in the unit of the concept."""
        amounts = [self.amount(key, one) for one in parts(node, "amount")]
        if node.data == "limit_range":
            low, high = amounts
            if low.rpartition(" ")[2] != high.rpartition(" ")[2] or _value(low) >= _value(high):
                raise Unclear
            return {"at_least": low, "at_most": high}
        if node.data == "limit":
            return {self._sign(node): amounts[0]}
        return {"at_least" if node.data == "limit_up" else "at_most": amounts[0]}

    def _sign(self, node: Node) -> str:
        return _KEYS[terminals(parts(node, "sign")[0], *_KEYS)[0].type]

    def amount(self, key: str, node: Node) -> str:
        """A bound in the unit in which the concept is held; exactly, never rounded."""
        against = part(node, "uln")
        if against is not None:
            return self._against_uln(key, against)
        token = terminals(node, "QUANT", "NUM")[0]
        value, unit = number(token, self.words), word(token, self.words).unit
        analyte = self.lexicon.terminology.analytes_of(key)[0]
        factor = self._factor(key, analyte.key, analyte.unit, unit)
        if key not in _SENSIBLE or factor is None:
            raise Unclear
        low, high = (Decimal(one) for one in _SENSIBLE[key])
        held = (value * factor).normalize()
        if not low <= held <= high:
            raise Unclear
        return f"{held:f} {analyte.unit}"

    def _factor(self, key: str, analyte: str, held: str, unit: str) -> Decimal | None:
        if key == "urine_protein_24h" and unit in _GRAMS_A_DAY:
            return _GRAMS_A_DAY[unit]
        if not unit:
            return Decimal(1) if held == "1" else None
        if unit == held:
            return Decimal(1)
        return self.lexicon.factors.get((analyte, unit))

    def _against_uln(self, key: str, node: Node) -> str:
        if key not in _AGAINST_ULN:
            raise Unclear
        analyte = self.lexicon.terminology.analytes_of(key)[0]
        if terminals(node, "PLUS_SIGN"):
            token = terminals(node, "QUANT")[0]
            if word(token, self.words).unit != analyte.unit:
                raise Unclear
            return f"ULN + {number(token, self.words).normalize():f} {analyte.unit}"
        numbers = [number(token, self.words) for token in terminals(node, "NUM")]
        times = bool(terminals(node, "TIMES_SIGN"))
        if times and not numbers:
            raise Unclear
        many = numbers[0] if numbers else Decimal(1)
        if not _MULTIPLES[0] <= many <= _MULTIPLES[1]:
            raise Unclear
        return f"{many.normalize():f} ULN"

    def _by_sex(self, key: str, node: Node) -> dict[str, FormValue]:
        """One sign and two amounts, for men and for women."""
        signs = {terminals(one, *_KEYS)[0].type for one in parts(node, "sign")}
        sexes = [one.data for one in parts(node, "male", "female")]
        amounts = [self.amount(key, one) for one in parts(node, "amount")]
        if len(signs) != 1 or set(sexes) != {"male", "female"} or len(amounts) != len(sexes):
            raise Unclear
        bounds: Mapping[str, FormValue] = dict(
            sorted(zip(map(str, sexes), amounts, strict=True), reverse=True)
        )
        return {_KEYS[signs.pop()]: {sex: bounds[sex] for sex in ("male", "female")}}

    def _relax(  # noqa: PLR0913 - what one relaxation depends on
        self,
        key: str,
        strict: Form,
        limits: Mapping[str, FormValue],
        node: Node,
        extra: Mapping[str, FormValue],
        limited: set[str],
    ) -> Form:
        """A second bound that is enough, or needed, where a finding is recorded."""
        named = {self.concept(lab) for lab in parts(node, "lab_name")}
        if named and named not in ({key}, limited):
            raise Unclear
        if node.data == "relaxed_to":
            looser: dict[str, FormValue] = {
                next(iter(limits)): self.amount(key, parts(node, "amount")[0])
            }
        else:
            looser = self.limits(
                key, parts(node, "limit", "limit_up", "limit_down", "limit_range")[0]
            )
        findings = {k for t in terminals(node, "FINDING_NAME") for k in word(t, self.words).keys}
        if len(findings) != 1 or not self._is_looser(limits, looser):
            raise Unclear
        finding: Form = {"finding": findings.pop(), "when": "active", "resolved": "no"}
        second: Form = {"lab": key, **looser, **extra}
        if self.excluding:
            return {"all_of": [strict, {"any_of": [{"not": finding}, second]}]}
        return {"any_of": [strict, {"all_of": [finding, second]}]}

    def _is_looser(self, strict: Mapping[str, FormValue], other: Mapping[str, FormValue]) -> bool:
        """Whether the second bound lets more patients in, on the same scale."""
        if len(strict) != 1 or strict.keys() != other.keys():
            return False
        key = next(iter(strict))
        one, two = str(strict[key]), str(other[key])
        if one.rpartition(" ")[2] != two.rpartition(" ")[2]:
            return False
        lower = key in _LOW
        if self.excluding:
            lower = not lower
        return _value(two) < _value(one) if lower else _value(two) > _value(one)


def _value(bound: str) -> Decimal:
    return Decimal(bound.partition(" ")[0]) if not bound.startswith("ULN +") else Decimal("NaN")
