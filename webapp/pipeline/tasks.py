"""What a worker does for a phase: gather facts, run the pure phase with no transaction open, write what it found."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from flask import current_app
from sqlalchemy.orm import Session

from webapp import storage
from webapp.ai.broker import MOST_PHOTOS, Broker
from webapp.config import Config
from webapp.crashpoints import crash_point
from webapp.database import reading, transaction
from webapp.errors import PermanentError
from webapp.learning import services as learning
from webapp.lib.fingerprint import fingerprint
from webapp.phases import facts
from webapp.phases.listing.edited import TEXTS, with_edited
from webapp.phases.market.ties import TieBreaker
from webapp.phases.matching.matchers import Matcher
from webapp.phases.pricing_rules import Terms, read_rules
from webapp.phases.second_look import is_wanted, second_look
from webapp.pipeline import findings, matchers, outcomes, settling, verdicts
from webapp.pipeline.advice import asked, broker_for, noted
from webapp.pipeline.knowledge import AskedOffers, ClientReference, same_photo, with_experience
from webapp.pipeline.models import LABELS, PhaseName
from webapp.pipeline.sampling import Sampling
from webapp.providers import sources
from webapp.providers.rates import DatedRates
from webapp.statements import Statement
from webapp.work.kinds import resolve
from webapp.work.lease import Lease


class PhotoFile(NamedTuple):
    """A photo of the product that is in use."""

    id: UUID
    file_name: str
    original_key: str
    display_key: str
    sha256: str


@dataclass(frozen=True)
class Case:
    """What is known of a run when one of its phases begins."""

    subject: Any
    """Of run, product and client what a phase may need to know, by the columns' names (see _SUBJECT)."""
    photos: Sequence[PhotoFile]
    found: dict[PhaseName, Any]
    place: outcomes.Place

    @property
    def threshold(self) -> int:
        """The client's confidence from which a run goes on without a person."""
        return int(self.subject.review_threshold)


def run_phase(lease: Lease) -> None:
    """Do the phase that the lease is on."""
    case = open_case(lease.claim.work_id) if lease.facts is None else _case(lease.facts)
    name = list(PhaseName)[case.place.number - 1]
    found, inputs = _PHASES[name](case, lease)
    with transaction() as session:
        outcomes.complete_phase(
            session,
            lease.claim,
            case.place,
            found,
            fingerprint=fingerprint(name.value, *inputs),
            threshold=case.threshold,
            draw=Sampling(case.subject.audit_percent, _config().secret_key),
        )
        if isinstance(found, facts.Analysis):
            learning.note_uses(
                session,
                client_id=lease.claim.client_id,
                run_id=case.subject.id,
                product_id=case.subject.product_id,
                found=found,
            )
        crash_point("finish.before_commit")
    crash_point("finish.after_commit")


# One row, not models: a phase reads a dozen columns of what are some sixty, and changes none of them here. All that a
# phase may need to know comes with it, since each question of its own would cost as much again. Each step from table to
# table is a subquery of its own (OFFSET 0), by key: joined, the tables of a fresh database, of which the planner knows
# nothing yet, are read whole, and a plan that was made then is kept.
_SUBJECT = Statement(f"""
    SELECT runs.*, products.*, catalogs.*, clients.*, phase.id AS phase_id, phase.number,
           (SELECT work_id FROM phases WHERE run_id = runs.id AND number = phase.number + 1) AS next_work_id,
           (SELECT json_agg(
                       json_build_array(photos.id, file_name, original_key, display_key, sha256) ORDER BY position
                   )::text
              FROM photos WHERE product_id = runs.product_id AND replaced_by IS NULL) AS photos,
           {verdicts.AS_COLUMN},
           {findings.AS_COLUMNS}
    FROM phases phase
    CROSS JOIN LATERAL (
        SELECT id, stream_id, hints, product_id FROM runs WHERE id = phase.run_id OFFSET 0
    ) AS runs
    CROSS JOIN LATERAL (
        SELECT catalog_id, sku, category, cost, cost_currency, listing_texts, fixed_fields,
               {", ".join(settling.SETTLED_COLUMNS)}
        FROM products WHERE id = runs.product_id OFFSET 0
    ) AS products
    CROSS JOIN LATERAL (SELECT pricing_rules FROM catalogs WHERE id = products.catalog_id OFFSET 0) AS catalogs
    CROSS JOIN LATERAL (
        SELECT review_threshold, audit_percent, currency, model_uses, expects_barcodes
        FROM clients WHERE id = phase.client_id OFFSET 0
    ) AS clients
    WHERE phase.work_id = :work_id
""")  # noqa: S608 - constants only


def facts_of(session: Session, work_id: int) -> Any:
    """What the phase of this work may need to know, as one row; None where its run is gone."""
    return _SUBJECT.one_or_none(session, {"work_id": work_id})


def open_case(work_id: int) -> Case:
    """What the phase of this work may need to know.

    Raises:
        PermanentError: the run is gone.
    """
    with reading() as session:
        subject = facts_of(session, work_id)
    if subject is None:
        raise PermanentError("the run is gone")
    return _case(subject)


def _case(subject: Any) -> Case:
    return Case(
        subject=subject,
        photos=msgspec.json.decode(subject.photos or "[]", type=list[PhotoFile]),
        found=findings.from_columns(subject),
        place=outcomes.Place(
            run_id=subject.id,
            stream_id=subject.stream_id,
            product_id=subject.product_id,
            phase_id=subject.phase_id,
            number=subject.number,
            next_work_id=subject.next_work_id,
        ),
    )


ENGINES = {
    PhaseName.ANALYSIS: "webapp.phases.analysis.analyse",
    PhaseName.MARKET: "webapp.phases.market.research",
    PhaseName.SEO: "webapp.phases.seo.optimise",
    PhaseName.LISTING: "webapp.phases.listing.compose",
}
"""The pure functions, by dotted string: the engines of analysis take hundreds of megabytes, and only the heavy slot
needs them. `app.config["PHASE_ENGINES"]` may name others, as benchmarks of the pipeline alone do."""


def _engine(name: PhaseName) -> Callable[..., Any]:
    return resolve(current_app.config.get("PHASE_ENGINES", ENGINES)[name])


Result = tuple[findings.Found, tuple[object, ...]]
"""What a phase found, and the facts that it was made from (for its fingerprint)."""


def _analysis(case: Case, lease: Lease) -> Result:
    hints = facts.Hints(
        name=case.subject.hints.get("name") or None,
        model=case.subject.hints.get("model") or None,
        condition=facts.Condition(case.subject.hints["condition"]) if case.subject.hints.get("condition") else None,
        threshold=case.threshold,
        expects_barcode=case.subject.expects_barcodes,
        same_photo=same_photo(case.subject.product_id, [photo.sha256 for photo in case.photos]),
    )
    photos = [
        facts.Photo(id=str(photo.id), file_name=photo.file_name, data=storage.read(photo.original_key))
        for photo in case.photos
    ]
    reference, broker = ClientReference(case.subject.product_id), _broker(case, lease)
    matcher, _ = matchers.matcher_for(lease.claim.client_id)
    found = _engine(PhaseName.ANALYSIS)(photos, hints, reference, lease.report, matcher=matcher, **asked(broker))
    found = with_experience(found, case.subject.catalog_id, case.threshold)
    found = settling.keep_fixed(found, case.subject)
    if broker is not None and is_wanted(found, case.threshold):
        lease.report(98, "Asking a model for a second look")
        found = second_look(found, photos, hints, broker)
    return noted(found, broker), (hints, [photo.sha256 for photo in case.photos], matcher.source)


def _market(case: Case, lease: Lease) -> Result:
    identity = _identity(case)
    research = _engine(PhaseName.MARKET)
    offers = AskedOffers(lease, sources.configured(), sources.patience_seconds())
    matcher: Matcher
    matcher, judge = matchers.matcher_for(lease.claim.client_id)
    broker = _broker(case, lease)
    said = verdicts.from_column(case.subject.verdicts)
    if broker is not None:
        matcher = TieBreaker(matcher, broker, lambda: _shown(case), {str(one.offer_id) for one in said})
    found = research(
        identity,
        offers,
        lease.report,
        datetime.now(UTC),
        currency=case.subject.currency,
        matcher=matcher,
        rates=DatedRates(),
        verdicts=verdicts.with_offers(said),
    )
    found = msgspec.structs.replace(found, not_asked=tuple(offers.not_asked.values()), judge=judge)
    return noted(found, broker), (identity, case.subject.currency, matcher.source, said)


def _shown(case: Case) -> list[facts.Photo]:
    """The first photos as screens show them, small enough for a light slot; whose file is gone, is left out."""
    found = []
    for photo in case.photos[:MOST_PHOTOS]:
        with suppress(storage.BytesMissing):
            data = storage.read(photo.display_key)
            found.append(facts.Photo(id=str(photo.id), file_name=photo.file_name, data=data))
    return found


def _seo(case: Case, lease: Lease) -> Result:
    optimise = _engine(PhaseName.SEO)
    identity, analysis, market = _identity(case), case.found[PhaseName.ANALYSIS], _needed(case, PhaseName.MARKET)
    terms = _terms(case)
    return optimise(identity, analysis, market, lease.report, terms), (identity, analysis, market, terms)


def _listing(case: Case, lease: Lease) -> Result:
    compose = _engine(PhaseName.LISTING)
    identity, analysis = _identity(case), case.found[PhaseName.ANALYSIS]
    market, seo = _needed(case, PhaseName.MARKET), _needed(case, PhaseName.SEO)
    terms = _terms(case)
    texts = case.subject.listing_texts
    broker = None if set(texts) >= set(TEXTS) else _broker(case, lease)  # nothing is left to write
    shown = {} if broker is None else {"photos": lambda: _shown(case)}
    found = compose(identity, analysis, market, seo, lease.report, terms, **asked(broker), **shown)
    return with_edited(noted(found, broker), texts), (identity, analysis, market, seo, terms, texts)


def _broker(case: Case, lease: Lease) -> Broker | None:
    return broker_for(lease, case.subject.product_id, case.subject.model_uses)


_PHASES: dict[PhaseName, Callable[[Case, Lease], Result]] = {
    PhaseName.ANALYSIS: _analysis,
    PhaseName.MARKET: _market,
    PhaseName.SEO: _seo,
    PhaseName.LISTING: _listing,
}


def _needed(case: Case, name: PhaseName) -> Any:
    found = case.found[name]
    if found is None:
        raise PermanentError(f"the findings of {LABELS[name].lower()} are missing; start the run again")
    return found


def _identity(case: Case) -> facts.Identity:
    analysis: facts.Analysis = _needed(case, PhaseName.ANALYSIS)
    words = sorted(analysis.text_lines, key=lambda line: -line.confidence)
    return facts.Identity(
        name=analysis.name.value,
        model=analysis.model.trusted,
        brand=analysis.brand.trusted,
        condition=findings.condition_of(analysis.condition),
        gtin14=analysis.gtin.trusted,
        category=case.subject.category or analysis.category.trusted,
        sku=case.subject.sku,
        image_urls=tuple(f"{_config().base_url}/photos/{photo.id}/display" for photo in case.photos),
        keywords_seen=tuple(line.text for line in words),
    )


def _terms(case: Case) -> Terms:
    subject = case.subject
    rules = read_rules(subject.pricing_rules)
    return Terms(rules=rules, cost=subject.cost, cost_currency=subject.cost_currency)


def _config() -> Config:
    config: Config = current_app.extensions["lotline_config"]
    return config
