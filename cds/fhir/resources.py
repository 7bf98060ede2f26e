"""FHIR R4 resources as far as we read them.

Only what decides which entries are looked at, and whose they are, is typed here. Everything else
is kept as undecoded JSON (`Raw`) and read when a criterion asks for it: most results of a chart
are never asked for, and a broken field there cannot spoil the entry. An absent field is an empty
`Raw`, which is false.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import Raw

ABSENT = Raw()


class Coding(msgspec.Struct, frozen=True, gc=False):
    """A code of a code system, with the name that the record gives it."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(msgspec.Struct, frozen=True, gc=False):
    """What something is: any number of codes, and words."""

    coding: tuple[Coding, ...] | None = None
    text: str | None = None


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A pointer to another resource; `identifier`-only references have no `reference`."""

    reference: str | None = None
    display: str | None = None


class Resource(
    msgspec.Struct, frozen=True, gc=False, rename="camel", tag_field="resourceType", kw_only=True
):
    """What every resource has."""

    id: str | None = None
    meta: Raw = ABSENT


class Patient(Resource, tag="Patient", frozen=True, gc=False, rename="camel", kw_only=True):
    """Who the record is about."""

    birth_date: Raw = ABSENT
    gender: Raw = ABSENT
    deceased_boolean: Raw = ABSENT
    deceased_date_time: Raw = ABSENT
    animal: Raw = ABSENT


class Valued(
    msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True, omit_defaults=True
):
    """The fields that an Observation and its components share.

    Its code, too, is as it came: a chart repeats each of them many times, and `loose.concept_in`
    reads it once.
    """

    code: Raw = ABSENT
    value_quantity: Raw = ABSENT
    value_string: Raw = ABSENT
    value_codeable_concept: Raw = ABSENT
    value_integer: Raw = ABSENT
    value_boolean: Raw = ABSENT
    value_range: Raw = ABSENT
    value_ratio: Raw = ABSENT
    value_sampled_data: Raw = ABSENT
    value_time: Raw = ABSENT
    value_date_time: Raw = ABSENT
    value_period: Raw = ABSENT
    data_absent_reason: Raw = ABSENT
    interpretation: Raw = ABSENT
    reference_range: Raw = ABSENT


class Observation(
    Valued,
    tag_field="resourceType",
    tag="Observation",
    frozen=True,
    gc=False,
    rename="camel",
    kw_only=True,
    omit_defaults=True,
):
    """A measurement, score or status, or a panel of them. It can be encoded again as it came."""

    id: str | None = None
    meta: Raw = ABSENT
    status: str | None = None
    subject: Reference | None = None
    focus: Raw = ABSENT
    effective_date_time: Raw = ABSENT
    effective_period: Raw = ABSENT
    effective_instant: Raw = ABSENT
    effective_timing: Raw = ABSENT
    issued: Raw = ABSENT
    component: Raw = ABSENT
    contained: Raw = ABSENT


class Condition(Resource, tag="Condition", frozen=True, gc=False, rename="camel", kw_only=True):
    """A diagnosis, problem or finding."""

    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    onset_date_time: Raw = ABSENT
    onset_age: Raw = ABSENT
    onset_period: Raw = ABSENT
    onset_range: Raw = ABSENT
    onset_string: Raw = ABSENT
    abatement_date_time: Raw = ABSENT
    abatement_age: Raw = ABSENT
    abatement_period: Raw = ABSENT
    abatement_range: Raw = ABSENT
    abatement_string: Raw = ABSENT
    recorded_date: Raw = ABSENT
    patient: Raw = ABSENT


class Procedure(Resource, tag="Procedure", frozen=True, gc=False, rename="camel", kw_only=True):
    """Something that was or is being done to the patient."""

    status: str | None = None
    category: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    performed_date_time: Raw = ABSENT
    performed_period: Raw = ABSENT
    performed_string: Raw = ABSENT
    performed_age: Raw = ABSENT
    performed_range: Raw = ABSENT
    not_done: Raw = ABSENT
    not_performed: Raw = ABSENT
    occurrence_date_time: Raw = ABSENT
    occurrence_period: Raw = ABSENT


class MedicationEntry(Resource, frozen=True, gc=False, rename="camel", kw_only=True):
    """What the three kinds of medication entries share."""

    status: str | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    medication: Raw = ABSENT
    subject: Reference | None = None
    patient: Raw = ABSENT
    contained: Raw = ABSENT


class MedicationStatement(
    MedicationEntry,
    tag="MedicationStatement",
    frozen=True,
    gc=False,
    rename="camel",
    kw_only=True,
):
    """What the patient is said to take or to have taken."""

    effective_date_time: Raw = ABSENT
    effective_period: Raw = ABSENT
    dosage: Raw = ABSENT
    taken: Raw = ABSENT
    was_not_taken: Raw = ABSENT


class MedicationRequest(
    MedicationEntry,
    tag="MedicationRequest",
    frozen=True,
    gc=False,
    rename="camel",
    kw_only=True,
):
    """An order or prescription."""

    intent: str | None = None
    do_not_perform: Raw = ABSENT
    reported_boolean: Raw = ABSENT
    reported_reference: Raw = ABSENT
    authored_on: Raw = ABSENT
    dosage_instruction: Raw = ABSENT
    dispense_request: Raw = ABSENT
    context: Raw = ABSENT


class MedicationAdministration(
    MedicationEntry,
    tag="MedicationAdministration",
    frozen=True,
    gc=False,
    rename="camel",
    kw_only=True,
):
    """A dose that was given."""

    effective_date_time: Raw = ABSENT
    effective_period: Raw = ABSENT
    dosage: Raw = ABSENT
    not_given: Raw = ABSENT


class Medication(Resource, tag="Medication", frozen=True, gc=False, rename="camel", kw_only=True):
    """A drug product that entries refer to."""

    code: CodeableConcept | None = None
    form: Raw = ABSENT
    ingredient: Raw = ABSENT


class OperationOutcome(
    Resource, tag="OperationOutcome", frozen=True, gc=False, rename="camel", kw_only=True
):
    """What a server says about a search instead of, or beside, its result."""

    issue: Raw = ABSENT


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link of a Bundle to itself, to its next page, or to another."""

    relation: str | None = None
    url: str | None = None


class Search(msgspec.Struct, frozen=True, gc=False):
    """Why an entry is in a search result: match, include or outcome."""

    mode: str | None = None


class Nested(Resource, tag="Bundle", frozen=True, gc=False, rename="camel", kw_only=True):
    """A Bundle inside a Bundle; its entries are read one by one."""

    type: str | None = None
    total: Raw = ABSENT
    link: Raw = ABSENT
    entry: Raw = ABSENT


_WORDS_OTHER_TYPES = """
Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse
AuditEvent Basic Binary BiologicallyDerivedProduct BodyStructure CapabilityStatement CarePlan
CareTeam CatalogEntry ChargeItem ChargeItemDefinition Citation Claim ClaimResponse
ClinicalImpression ClinicalUseDefinition CodeSystem Communication CommunicationRequest
CompartmentDefinition Composition ConceptMap Consent Contract Coverage
CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition
DeviceMetric DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest
DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest
EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceReport EvidenceVariable
ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group
GuidanceResponse HealthcareService ImagingStudy Immunization ImmunizationEvaluation
ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List
Location Measure MeasureReport Media MedicationDispense MedicationKnowledge MedicinalProduct
MessageDefinition MessageHeader MolecularSequence NamingSystem NutritionOrder
ObservationDefinition OperationDefinition Organization OrganizationAffiliation Parameters
PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner PractitionerRole
Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup ResearchDefinition
ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis
Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition
StructureMap Subscription Substance SubstanceSpecification SupplyDelivery SupplyRequest Task
TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription
"""
_OTHER_TYPES = _WORDS_OTHER_TYPES.split()
"""R4 types that no criterion reads; named, so that a chart with them still decodes at once."""


class Other(msgspec.Struct, frozen=True, gc=False):
    """A resource of a type that no criterion reads."""


Clinical: TypeAlias = (
    Observation
    | Condition
    | Procedure
    | MedicationStatement
    | MedicationRequest
    | MedicationAdministration
)
"""A resource that says something about a patient."""

AnyResource: TypeAlias = Clinical | Patient | Medication | OperationOutcome | Nested | Other

if TYPE_CHECKING:
    Readable: TypeAlias = AnyResource
    Single: TypeAlias = AnyResource
else:
    # Each unread type is a Struct of its own: msgspec tells the types apart by their tag.
    Single = reduce(
        or_,
        (
            msgspec.defstruct(
                name, [], bases=(Other,), tag_field="resourceType", tag=name, frozen=True, gc=False
            )
            for name in _OTHER_TYPES
        ),
        Clinical | Patient | Medication | OperationOutcome,
    )
    Readable = Single | Nested


class Entry(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """One entry of a Bundle. Entries without a resource may say how a request ended."""

    resource: Readable | None = None
    full_url: str | None = None
    search: Search | None = None
    response: Raw = ABSENT

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The JSON names of fields that were there and could not be read."""
        return ()


class Repaired(Entry, frozen=True, gc=False, rename="camel"):
    """An entry of which some fields had to be dropped; `lost` names them.

    `older`: what was dropped has the shape of an older FHIR version.
    """

    lost: tuple[str, ...] = ()
    older: bool = False

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The JSON names of fields that were there and could not be read."""
        return self.lost


class Bundle(Resource, tag="Bundle", frozen=True, gc=False, rename="camel", kw_only=True):
    """A Bundle whose entries are decoded in one go."""

    type: str | None = None
    total: Raw = ABSENT
    link: Raw = ABSENT
    entry: tuple[Entry, ...] | None = None
