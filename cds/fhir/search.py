"""What is asked of a FHIR server about one patient, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cds.core.facts import Retrieval

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from cds.fhir.faults import Why

CATEGORIES = ("laboratory", "vital-signs", "exam", "survey", "social-history")
"""The Observation categories that plain `Observation` stands for."""

MEDICATION_TYPES = ("MedicationRequest", "MedicationStatement", "MedicationAdministration")
_INCLUDES = {**dict.fromkeys(MEDICATION_TYPES, "medication"), "ResearchSubject": "study"}
OLDER = "Observation:of any date"
"""What searches for some codes cover where of all codes only recent Observations were read."""
NARROWING = ("date", "combo-code")
"""The search parameters for Observation without which a list cannot be asked for in part."""
_ZONES = timedelta(days=2)
_LONGEST_LIST = 1_500
_WORDS_TYPES = """
Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse
AuditEvent Basic Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan
CareTeam CatalogEntry ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression
CodeSystem Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition
Consent Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue
Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport
DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest
EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario
ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse
HealthcareService ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation
ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure MeasureReport Media
Medication MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest
MedicationStatement MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication
MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction
MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical
MedicinalProductUndesirableEffect MessageDefinition MessageHeader MolecularSequence NamingSystem
NutritionOrder Observation ObservationDefinition OperationDefinition OperationOutcome Organization
OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition
Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen
SpecimenDefinition StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid
SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport
TestScript ValueSet VerificationResult VisionPrescription
"""
_TYPES = frozenset(_WORDS_TYPES.split())
"""The resource types of FHIR R4."""
FIRST = ("Patient", "Condition")
"""What decides whether anything else needs to be asked."""


@dataclass(frozen=True, slots=True)
class Search:
    """One question. `covers` names what it answers: a type, or `Observation:` and a category.

    `params` come on top of the patient and the page size; Patient itself is read by its id.
    `recent` is the day since when results are the first to matter: where the list is long they are
    asked for along with it, so that they are there if its end does not come in time. `suffices`:
    they, and those without a date, are enough where the server can tell which they are. `codes`:
    the codes that it asks for alone. `reference`: the one Medication that is read by its id.
    """

    resource_type: str
    params: tuple[tuple[str, str], ...] = ()
    covers: str = ""
    recent: date | None = None
    suffices: bool = False
    codes: frozenset[str] = frozenset()
    reference: str = ""

    @property
    def is_unfiltered(self) -> bool:
        """Whether it asks for the Observations of every category."""
        return self.resource_type == "Observation" and not self.params

    @property
    def by_category(self) -> bool:
        """Whether it asks for the Observations of one category."""
        return any(name == "category" for name, _ in self.params)

    @property
    def includes(self) -> bool:
        """Whether its matches refer to resources that `_include` can bring along."""
        return self.resource_type in _INCLUDES

    def path(self, patient_id: str, page_size: int, *, include: bool = False) -> str:
        """The relative URL; `include` asks for what the matches refer to along with them."""
        if self.resource_type == "Patient":
            return f"Patient/{patient_id}"
        params = [("patient", f"Patient/{patient_id}"), *self.params, ("_count", str(page_size))]
        if include:
            params.append(("_include", f"{self.resource_type}:{_INCLUDES[self.resource_type]}"))
        return f"{self.resource_type}?{urlencode(params, safe='/:,')}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one search.

    `bodies` are the answers as received, in order: pages of a search, or single resources that
    were read. COMPLETE: the search ended and nothing speaks against its completeness. CUT_OFF:
    what is in the bodies is there, absence means nothing; on or after `since` (None: no day)
    nothing is absent. COMPLETE with `since`: no older ones were asked for; with `codes`: no others
    were. Otherwise there are no bodies, and `why` says what kept them away.
    """

    search: Search
    state: Retrieval
    bodies: tuple[bytes, ...] = ()
    why: Why | None = None
    since: date | None = None
    codes: frozenset[str] = frozenset()

    @property
    def covers(self) -> str:
        """What this answers: a type, or `Observation:` and a category."""
        return self.search.covers or self.search.resource_type


@dataclass(slots=True)
class Progress:
    """A search under way; the pages that came so far can be taken at any time."""

    search: Search
    bodies: list[bytes] = field(default_factory=list)
    why: Why | None = None
    ended: bool = False
    since: date | None = None
    not_kept: bool = False

    def fetched(self, otherwise: Why) -> Fetched:
        """What came of it by now; `otherwise` is why it has not ended, if it has not."""
        why = self.why if self.ended else otherwise
        bodies = tuple(self.bodies)
        if why is None:
            codes = self.search.codes
            return Fetched(self.search, Retrieval.COMPLETE, bodies, None, self.since, codes)
        if bodies:
            return Fetched(self.search, Retrieval.CUT_OFF, bodies, why)
        state = Retrieval.NOT_KEPT if self.not_kept else Retrieval.NOT_RETRIEVED
        return Fetched(self.search, state, (), why)


def searched_type(path: str) -> str:
    """The resource type that a search's address (without its parameters) names; '' for none.

    A base may end in any word ("/Fhir"). A Bundle holds the list and is not what was asked for.
    """
    name = path.rstrip("/").removesuffix("/_search").rpartition("/")[2]
    return name if name in _TYPES and name != "Bundle" else ""


def searches(
    wanted: Collection[str], *, recent: date | None = None, suffices: bool = False
) -> list[Search]:
    """The searches that answer `wanted`, Patient and Condition first.

    `wanted` are types and `Observation:<category>` keys. Plain `Observation`, or every category of
    `CATEGORIES`, is one search for them all: it also brings what has no category, or another one.
    `recent` and `suffices` are what they mean in `Search`, for Observations.
    """
    names = set(wanted)
    categories = {f"Observation:{one}" for one in CATEGORIES}
    if categories <= names or "Observation" in names:
        names = (names - categories) | {"Observation"}
    found: list[Search] = []
    for key in sorted(names, key=lambda one: (one not in FIRST, one != "Patient", one)):
        resource_type, _, category = key.partition(":")
        if resource_type == "Observation":
            params = (("category", category),) if category else ()
            found.append(Search("Observation", params, key, recent, suffices and not category))
        else:
            found.append(Search(resource_type, covers=key))
    return found


def reads_of(references: Iterable[str]) -> list[Search]:
    """What reads these Medications, as entries refer to them; one answer comes for all."""
    return [Search("Medication", covers="Medication", reference=one) for one in references]


def one_by_one(search: Search) -> list[Search]:
    """The searches for each category that stand in for one for all Observations."""
    return [
        Search("Observation", (("category", one),), f"Observation:{one}", search.recent)
        for one in CATEGORIES
    ]


def by_categories(wanted: Iterable[Search]) -> list[Search]:
    """The same searches, none of them for all Observations."""
    return [one for search in wanted for one in _apart(search)]


def _apart(search: Search) -> list[Search]:
    return one_by_one(search) if search.is_unfiltered else [search]


def without_category(search: Search) -> Search:
    """The same search for Observations of every category."""
    return Search("Observation", (), "Observation", search.recent)


def only_recent(search: Search) -> Search:
    """The same search, only for what is dated on or after `search.recent`.

    It begins earlier, so that no zone in which the server may count its days makes it begin later.
    """
    assert search.recent is not None  # noqa: S101 - asked only of searches that have it
    since = search.recent - _ZONES
    return Search("Observation", (*search.params, ("date", f"ge{since.isoformat()}")))


def only_undated(search: Search) -> Search:
    """The same search, only for what has no date."""
    return Search("Observation", (*search.params, ("date:missing", "true")))


def only_coded(codes: Iterable[str]) -> list[Search]:
    """Searches for results with one of these codes, of any date, as short as addresses must be."""
    chunks: list[list[str]] = []
    for code in sorted(codes):
        if not chunks or sum(len(one) + 1 for one in chunks[-1]) + len(code) > _LONGEST_LIST:
            chunks.append([])
        chunks[-1].append(code)
    return [
        Search("Observation", (("combo-code", ",".join(one)),), OLDER, codes=frozenset(one))
        for one in chunks
    ]
