"""What a sentence means: its proposals, if all its readings agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.draft import persons, states
from cds.content.draft.bounds import Bounds
from cds.content.draft.nodes import Node, extent, part, parts, terminals, tokens_in, window, word
from cds.content.draft.parsing import readings
from cds.content.draft.proposal import Form, Impossible, Proposal, Unclear
from cds.content.draft.states import States

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.content.draft.lexicon import Lexicon
    from cds.content.draft.tokens import Word

_ITEMS = (
    "labs", "ecog", "age_range", "age_signs", "age_older", "age_younger", "sex", "things", "hiv",
    "pregnancy", "virus", "virus_and_amount", "two_viruses", "both_urine", "nyha", "dialysis",
    "serologies",
)  # fmt: skip
_SEROLOGY = ("virus", "virus_and_amount", "two_viruses")
_BLOOD_PRESSURE = frozenset({"systolic_bp", "diastolic_bp"})
_DEFINED_BY = {"hypertension": _BLOOD_PRESSURE, "thrombocytopenia": frozenset({"platelets"})}


def proposals(
    words: Sequence[Word],
    lexicon: Lexicon,
    sentence: str,
    *,
    excluding: bool,
    look_back: str | None = None,
) -> list[Proposal]:
    """The atoms of a sentence with their forms; none where a human must read it.

    `look_back` is what a heading above the sentence says about the age of results. Where several
    readings are possible, the one of fewest parts stands, if it is alone.
    """
    trees = readings(words, "exclusion" if excluding else "inclusion")
    found: list[list[Proposal]] = []
    for tree in trees:
        try:
            found.append(_Meaning(words, lexicon, sentence, look_back, excluding).of(tree))
        except Impossible:
            continue
        except Unclear:
            return []
    fewest = min((len({(p.first, p.last) for p in one}) for one in found), default=0)
    kept = [one for one in found if len({(p.first, p.last) for p in one}) == fewest]
    if not kept or any([p.form for p in one] != [p.form for p in kept[0]] for one in kept):
        return []
    return kept[0]


class _Meaning:
    """One reading of one sentence."""

    def __init__(
        self,
        words: Sequence[Word],
        lexicon: Lexicon,
        sentence: str,
        look_back: str | None,
        excluding: bool,  # noqa: FBT001 - private, named by its caller's argument
    ) -> None:
        self.words = words
        self.bounds = Bounds(words, lexicon, excluding=excluding)
        self.states = States(words, lexicon, sentence)
        self.look_back = look_back
        self.excluding = excluding

    def of(self, tree: Node) -> list[Proposal]:
        """The proposals of a tree.

        Raises:
            Unclear: the sentence is for a human, whatever other readings say.
            Impossible: nobody can mean this reading.
        """
        kinds = {str(one.data) for one in parts(tree)}
        if "diagnosis" in kinds:
            return self._whole(tree, self.states.diagnosis(parts(tree, "diagnosis")[0]))
        if "none_of" in kinds:
            things = parts(parts(tree, "none_of")[0], "things")[0]
            found = self.states.things(things)
            return self._whole(tree, [states.negated(p.form) for p in found if p.form])
        if "gap" in kinds:
            return [one for gap in parts(tree, "gap") for one in self.states.gap(gap)]
        intro = part(tree, "intro")
        if intro is not None:
            self._intro(intro)
        found = []
        for place, listed in enumerate(parts(tree, "excl_list", "incl_list")):
            items = parts(listed, *_ITEMS)
            if part(tree, "label") is not None and place == 0 and _kinds(items) - {"labs"}:
                raise Impossible
            if place == 0:
                self._check_label(tree, items)
            self._check_windows(items)
            if self.excluding:
                self._check_list(listed, items)
            found += [one for item in items for one in self._item(item)]
        return found

    def _check_label(self, tree: Node, items: Sequence[Node]) -> None:
        """A finding before a bracket of limits is only a name for them where they define it.

        "Heart failure (LVEF < 40 %)" needs both; "thrombocytopenia (platelets < 100)" does not.
        """
        label = part(tree, "label")
        named = [] if label is None else terminals(label, "FINDING_NAME")
        tested = {k for item in items for t in tokens_in(item) for k in word(t, self.words).keys}
        for token in named:
            if not tested <= _DEFINED_BY.get(word(token, self.words).keys[0], frozenset()):
                raise Unclear

    def _intro(self, node: Node) -> None:
        said = parts(node, "window")
        if said and self.look_back:
            raise Unclear
        if said:
            self.look_back = window(said[0], self.words)

    def _whole(self, tree: Node, forms: Sequence[Form]) -> list[Proposal]:
        first, last = extent(tree)
        return [Proposal(form, first, last) for form in forms]

    def _item(self, node: Node) -> list[Proposal]:
        kind = str(node.data)
        if kind == "labs":
            return self.bounds.labs(node, self.look_back)
        if kind == "things":
            if self.look_back:
                raise Unclear
            return self.states.things(node)
        if kind == "serologies":
            return self._serologies(node)
        return self._whole(node, list(self._single(kind, node)))

    def _serologies(self, node: Node) -> list[Proposal]:
        """Tests one after the other; HIV among them is a test too."""
        found: list[Proposal] = []
        for one in parts(node, *_SEROLOGY, "hiv"):
            is_hiv = one.data == "hiv"
            form = states.hiv(tested=True) if is_hiv else self._serology(str(one.data), one)
            found += self._whole(one, [form])
        return found

    def _single(self, kind: str, node: Node) -> Iterator[Form]:
        if kind.startswith("age_"):
            yield persons.age(node, self.words)
        elif kind == "sex":
            yield persons.sex(node)
        elif kind == "ecog":
            yield persons.ecog(node, self.words, self.look_back)
        elif self.look_back:
            raise Unclear
        elif kind == "pregnancy":
            yield from self.states.pregnancy(node)
        elif kind == "nyha":
            yield self.states.nyha(node)
        elif kind == "dialysis":
            yield states.dialysis()
        else:
            yield from self._tested(kind, node)

    def _tested(self, kind: str, node: Node) -> Iterator[Form]:
        """What tests of blood and urine show, one or several together."""
        if kind == "hiv":
            self._check_hiv(node)
            tested = bool({"test", "antibody"} & set(self.states.listed.says(node).split()))
            yield states.hiv(tested=tested)
        elif kind == "both_urine":
            yield self._both_urine(node)
        else:
            yield self._serology(kind, node)

    def _check_hiv(self, node: Node) -> None:
        """The only finding beside HIV is the word infection; brackets repeat the name."""
        said = [str(token).casefold() for token in terminals(node, "FINDING_NAME")]
        glosses = [word(t, self.words) for g in parts(node, "gloss") for t in tokens_in(g)]
        if any(one != "infection" for one in said) or any(
            one.keys and one.keys != ("hiv_infection",) for one in glosses
        ):
            raise Unclear

    def _serology(self, kind: str, node: Node) -> Form:
        keys = [word(token, self.words).keys[0] for token in terminals(node, "VIRUS_NAME")]
        for gloss in parts(node, "gloss"):
            if any(set(word(t, self.words).keys) - set(keys) for t in tokens_in(gloss)):
                raise Unclear
        if kind == "virus":
            return states.positive(keys[0])
        if kind == "two_viruses":
            if keys != ["hcv_antibody", "hcv_rna"]:
                raise Unclear
            return {"all_of": [states.positive(key) for key in keys]}
        amount = word(terminals(node, "LAB_NAME")[0], self.words).keys[0]
        if (keys, amount) != (["hbsag"], "hbv_dna"):
            raise Unclear
        limit = parts(node, "limit", "limit_up", "limit_down", "limit_range")[0]
        dna: Form = {"lab": amount, **self.bounds.limits(amount, limit)}
        if "ULN" not in str(dna):
            return {"all_of": [states.positive("hbsag"), dna]}
        some: Form = {"lab": amount, "above": "0 [IU]/mL"}
        return {"all_of": [states.positive("hbsag"), some, dna]}

    def _both_urine(self, node: Node) -> Form:
        labs = [word(token, self.words).keys[0] for token in terminals(node, "LAB_NAME")]
        grade = word(terminals(node, "QUANT")[0], self.words)
        if labs != ["urine_protein_dipstick", "urine_protein_24h"] or grade.unit != "{plus}":
            raise Unclear
        limit = parts(node, "limit", "limit_up", "limit_down", "limit_range")[0]
        return {
            "all_of": [
                {"lab": labs[0], "at_least": f"{grade.value} {{plus}}"},
                {"lab": labs[1], **self.bounds.limits(labs[1], limit)},
            ]
        }

    def _check_windows(self, items: Sequence[Node]) -> None:
        """A time behind the last of several tests may be meant for all of them."""
        dated = [bool(parts(item, "look_back")) for item in items if item.data in {"labs", "ecog"}]
        if any(dated) and not all(dated):
            raise Unclear

    def _check_list(self, listed: Node, items: Sequence[Node]) -> None:
        """What a list of excluded states leaves open: "and" for a comma, times of some parts."""
        either = bool(parts(listed, "either"))
        tests = [item for item in items if item.data in {"labs", "virus"}]
        if len(tests) > 1 and not either and not self._are_blood_pressures(tests):
            raise Unclear
        if tests and not either and any(item.data == "things" for item in items):
            raise Unclear
        bare = False
        for item in items:
            if item.data != "things" or part(item, "clots") is not None:
                continue
            times = self.states.times(item)
            if times.within and bare:
                raise Impossible
            bare = bare or not (times.within or times.ever or times.now)
        lists = [one for one in items if one.data == "things" and part(one, "clots") is None]
        windows = [self.states.times(item).within for item in lists]
        if any(windows) and not all(windows) and self._has_bare_event(items):
            raise Unclear

    def _are_blood_pressures(self, tests: Sequence[Node]) -> bool:
        named = {key for one in tests for t in tokens_in(one) for key in word(t, self.words).keys}
        return named == _BLOOD_PRESSURE

    def _has_bare_event(self, items: Sequence[Node]) -> bool:
        """Whether an event stands without a time beside others with one."""
        for item in items:
            if item.data == "things" and self.states.times(item).within is None:
                for thing in parts(item, "thing"):
                    if any(word(t, self.words).event for t in terminals(thing, "FINDING_NAME")):
                        return True
        return False


def _kinds(items: Sequence[Node]) -> set[str]:
    return {str(item.data) for item in items}
