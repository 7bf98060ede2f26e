"""Reasons, states and names of concepts in the reader's language; everything else stays English."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import pytest
import yaml

from cds.assess import assess_facts, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle
from cds.web.report.building import report_of
from cds.web.report.words import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from markupsafe import Markup

    from cds.assess import Content
    from cds.web.report.model import Report

ENGLISH = re.compile(r'<span lang="en">[^<]*</span>')


@pytest.fixture(scope="module")
def said() -> Callable[[str], Markup]:
    """A sentence in Chinese."""
    filtered: Callable[[str], Markup] = environment("zh-CN").filters["said"]
    return filtered


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "ANC 1.44 10*9/L on 2026-02-05 (needs ≥ 1.5 10*9/L): 0.06 short",
            "2026年2月5日 中性粒细胞绝对值（ANC） 1.44 ×10⁹/L（要求 ≥ 1.5 ×10⁹/L）：低 0.06",
        ),
        (
            "no stroke or TIA recorded (12 conditions read, 1 not recognised)",
            "未见卒中或短暂性脑缺血发作记录（已读取诊断 12 条，其中 1 条未能识别）",
        ),
        ("age 9 or 10 (born 2016; needs ≥ 10)", "年龄 9 或 10 岁（出生 2016年；要求 ≥ 10）"),
        ("within 28 days", "28 天内"),
        (
            "active, 2025-01-01 to 2025-02, to end 2026-09-01",
            "活动，2025年1月1日至2025年2月，将于 2026年9月1日 结束",
        ),
        (
            "status unclear, at 13 years of age, ended 2025-01-01 to 2025-02-01",
            "状态不明确，出生后满 13 年时，2025年1月1日至2025年2月1日 结束",
        ),
        (
            "status not stated, no readable date, by its words it may not count",
            "未说明状态，无可读日期，按其文字可能不计入",
        ),
        (
            "stopped or completed, from 2026-02, to 2026-02-24",
            "已停用或完成，自 2026年2月，至 2026年2月24日",
        ),
        (
            "QTc 421 ms on 2026-02-17 (excluded if ≥ 450 ms (male) or ≥ 470 ms (female))",
            "2026年2月17日 QTc 间期 421 ms（≥ 450 ms (男) 或 ≥ 470 ms (女) 则排除）",
        ),
        (
            (
                "ANC 2.1 10*9/L on 2026-02-20 is the newest that was read (needs ≥ 1.5 10*9/L); "
                "not all results could be read, a newer one may exist"
            ),
            (
                "已读取的最新结果是 2026年2月20日的 中性粒细胞绝对值（ANC） 2.1 ×10⁹/L"
                "（要求 ≥ 1.5 ×10⁹/L）；未能读取全部结果，可能有更新的结果"
            ),
        ),
        (
            "TSH 2 mIU/L on 2026-01-05 is older than 28 days (excluded if > 4.2 mIU/L)",
            "2026年1月5日的 促甲状腺激素（TSH） 2 mIU/L 距今已超过 28 天（> 4.2 mIU/L 则排除）",
        ),
    ],
)
def test_what_the_engine_says_is_said_in_chinese(
    said: Callable[[str], Markup], english: str, chinese: str
) -> None:
    assert said(english).striptags() == chinese


def test_a_name_from_the_record_stays_and_is_marked_as_english(
    said: Callable[[str], Markup],
) -> None:
    assert said("itraconazole 100 mg capsule (last taken 2026-02-24)") == (
        '<span lang="en">itraconazole 100 mg capsule</span>（末次使用 2026年2月24日）'
    )


def test_a_sentence_that_nobody_has_translated_stays_whole(said: Callable[[str], Markup]) -> None:
    question = "Is good compliance to be expected?"
    assert said(question) == f'<span lang="en">{question}</span>'


def test_a_name_that_looks_like_markup_stays_text(said: Callable[[str], Markup]) -> None:
    for text in (
        "<script>alert(1)</script> (active, 2026-02-24)",
        "no <b>x</b> recorded",
        '"<img src=x>" is not recognised',
        "<i>ANC</i> 2 on 2026-02-24",
        "ANC <i>2</i> on 2026-02-24 (needs ≥ <u>1</u>)",
    ):
        assert not re.search(r"<(?!/?span)", said(text))


def sayings(report: Report) -> Iterator[str]:
    """Everything on a page that is said by the engine, sentence by sentence."""
    for trial in report.trials:
        for line in trial.lines:
            questions = re.compile(r"\?(?:$|; )")
            if not questions.search(line.reason):
                yield line.reason
            for proof in line.proofs:
                yield from (one for one in (proof.remark,) if one)
        yield from (row.window for row in trial.timeline)
        yield from (trend.label for trend in trial.trends)


@pytest.mark.parametrize(
    "story",
    [path.parent for path in sorted(bundled_fixtures().glob("*/story.yaml"))],
    ids=lambda folder: folder.name,
)
def test_no_sentence_of_the_engine_is_left_in_english(
    story: Path, content: Content, said: Callable[[str], Markup]
) -> None:
    """Names and questions aside."""
    day = date.fromisoformat(yaml.safe_load((story / "story.yaml").read_text("utf-8"))["day"])
    asked = Evaluation.of(day)
    record = record_from_bundle((story / "bundle.json").read_bytes())
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    trials = [trial.id for trial in content.trials]
    assessment = assess_facts(facts, content, asked)
    report = report_of(assessment, facts, content, asked, trials=trials)
    left = [text for text in sayings(report) if ENGLISH.fullmatch(said(text))]
    assert left == []
