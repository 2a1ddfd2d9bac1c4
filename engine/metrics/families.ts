/**
 * The metrics, by name: what Prometheus is told. Names and units follow its conventions (base units, `_total` for what only
 * grows); no label has a value for each run, session or key, so that the number of series is bounded.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { RuleTime } from '../arbiter/judgment-times.ts';
import { streams } from '../../protocol/subjects.ts';
import type { ViewMetrics } from '../projections/view-metrics.ts';
import type { ProjectorMetrics } from '../projections/thread.ts';
import type { Measured } from './measured.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** One text of metrics is made anew for each reader: the numbers are the view's and the arbiter's, not kept here. */
class Families {
  readonly registry = new Registry();

  constructor(workspace: string) {
    this.registry.setDefaultLabels({ workspace });
  }

  counter(name: string, help: string, samples: readonly Sample[]): void {
    const metric = new Counter({ name, help, labelNames: labelsOf(samples), registers: [this.registry] });
    for (const [labels, value] of samples) metric.inc(labels, value);
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    const metric = new Gauge({ name, help, labelNames: labelsOf(samples), registers: [this.registry] });
    for (const [labels, value] of samples) metric.set(labels, value);
  }
}

const labelsOf = (samples: readonly Sample[]): string[] => Object.keys(samples[0]?.[0] ?? {});
const single = (value: number): readonly Sample[] => [[{}, value]];

/** Everything but the histogram of judgments and what Node says of the process. */
export function familiesOf(measured: Measured): Registry {
  const families = new Families(measured.workspace);
  const { version, isActive, epoch, counters, projector } = measured;
  families.gauge('assent_info', 'The version of the engine, as a label; the value is always 1.', [[{ version }, 1]]);
  families.gauge(
    'assent_active',
    '1 if the arbiter of this engine rules, 0 if it stands by.',
    single(isActive ? 1 : 0),
  );
  families.gauge('assent_epoch', 'The epoch of the arbiter that this engine knows.', single(epoch));
  if (counters !== undefined) {
    addArbiter(families, counters);
    addRuleTimes(families, counters.times.rules);
  }
  if (projector !== undefined) {
    addRules(families, projector.view);
    addWaiting(families, projector.view);
    addLedger(families, measured.workspace, projector);
  }
  return families.registry;
}

function addArbiter(families: Families, counters: NonNullable<Measured['counters']>): void {
  const { settledSeq, takeovers, unknownFates, rewinds, answeredFromRecord } = counters;
  families.gauge(
    'assent_ledger_settled_sequence',
    'The newest sequence of the ledger that the arbiter knows to be settled.',
    single(settledSeq),
  );
  families.counter('assent_takeovers_total', 'Times that this arbiter took over from another.', single(takeovers));
  families.counter(
    'assent_unknown_fates_total',
    'Appends to the ledger of which it was not known whether they were stored.',
    single(unknownFates),
  );
  families.counter(
    'assent_rewinds_total',
    'Times that the ledger was found to have gone back to an earlier copy.',
    single(rewinds),
  );
  families.counter(
    'assent_repeated_proposals_total',
    'Proposals that came again and were answered from the record.',
    single(answeredFromRecord),
  );
}

function addRuleTimes(families: Families, rules: ReadonlyMap<string, RuleTime>): void {
  const samples = (of: (time: RuleTime) => number): Sample[] => [...rules].map(([rule, time]) => [{ rule }, of(time)]);
  families.counter(
    'assent_rule_sampled_seconds_total',
    'Time that a rule took in the hearings that were sampled; divide by assent_rule_samples_total.',
    samples(({ seconds }) => seconds),
  );
  families.counter(
    'assent_rule_samples_total',
    'Times that a rule was asked in the hearings that were sampled.',
    samples((time) => time.samples),
  );
}

const OPINIONS = [
  ['pass', 'passed'],
  ['rewrite', 'rewrote'],
  ['reject', 'rejected'],
  ['hold', 'held'],
  ['error', 'errors'],
] as const;

function addRules(families: Families, { rulings, codes, rules }: ViewMetrics): void {
  families.counter(
    'assent_rulings_total',
    'Rulings on the ledger, by outcome.',
    Object.entries(rulings).map(([outcome, count]) => [{ outcome }, count]),
  );
  families.counter(
    'assent_rejections_total',
    'Rejections on the ledger, by code; the sum of it is that of the rejected rulings.',
    codes.map(({ code, count }) => [{ code }, count]),
  );
  families.counter(
    'assent_rule_opinions_total',
    'What each rule said when it was asked, by kind of run; the sum over opinions is how often it was asked.',
    rules.flatMap((row) =>
      OPINIONS.map(([opinion, column]): Sample => [{ rule: row.rule, kind: row.kind, opinion }, row[column]]),
    ),
  );
  families.counter(
    'assent_rule_overrides_total',
    "Times that an operator's override pushed aside what a rule said.",
    rules.filter(({ overridden }) => overridden > 0).map(({ rule, kind, overridden }) => [{ rule, kind }, overridden]),
  );
}

function addWaiting(families: Families, { held, limits, limitsOmitted, runs }: ViewMetrics): void {
  families.gauge(
    'assent_held_proposals',
    'Proposals that wait, by what they wait for.',
    Object.entries(held).map(([type, count]) => [{ waits_for: type.toLowerCase() }, count]),
  );
  families.gauge(
    'assent_limit_slots_used',
    'Slots of a limit that are taken; of a limit by key, those of all keys.',
    limits.map(({ limit, used }) => [{ limit }, used]),
  );
  families.gauge(
    'assent_limit_slots_max',
    'Slots that a limit has; of a limit by key, those of each key.',
    limits.flatMap(({ limit, slotsMax }): Sample[] => (slotsMax === undefined ? [] : [[{ limit }, slotsMax]])),
  );
  families.gauge(
    'assent_limit_waiting',
    'Proposals that wait for slots of a limit.',
    limits.map(({ limit, waiting }) => [{ limit }, waiting]),
  );
  families.gauge(
    'assent_limits_omitted',
    'Limits that are not shown here, because there are too many.',
    single(limitsOmitted),
  );
  families.gauge(
    'assent_runs',
    'Runs by kind and type of state, those that have ended among them.',
    runs.map(({ kind, type, count }) => [{ kind, state: type }, count]),
  );
}

function addLedger(families: Families, workspace: string, projector: ProjectorMetrics): void {
  const { view, foldedRulings, busyMs, streams: rows } = projector;
  const ledger = rows.find(({ stream }) => stream === streams.ledger(workspace));
  if (ledger !== undefined) {
    families.gauge(
      'assent_ledger_head_sequence',
      'The last sequence of the ledger, as the server has it.',
      single(ledger.lastSeq),
    );
  }
  families.gauge('assent_view_sequence', 'The sequence of the ledger that the view is true for.', single(view.seq));
  families.counter('assent_segments_total', 'Segments on the ledger that count.', single(view.segments));
  families.counter(
    'assent_void_segments_total',
    'Segments on the ledger that do not count: of a writer that was overtaken.',
    single(view.voidSegments),
  );
  families.counter(
    'assent_view_folded_rulings_total',
    'Entries of the ledger that the view took in since this engine began.',
    single(foldedRulings),
  );
  families.counter('assent_view_busy_seconds_total', 'Time that the view took for that.', single(busyMs / 1000));
  families.gauge(
    'assent_stream_bytes',
    'Bytes of a stream on the server.',
    rows.map(({ stream, bytes }) => [{ stream }, bytes]),
  );
  families.gauge(
    'assent_stream_bytes_max',
    'Bytes that a stream may take; absent where it has no bound.',
    rows.flatMap(({ stream, bytesMax }): Sample[] => (bytesMax === undefined ? [] : [[{ stream }, bytesMax]])),
  );
}
