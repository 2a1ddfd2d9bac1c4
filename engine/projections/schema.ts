/**
 * The tables of a view. A view is disposable: what it holds can be folded from the ledger again, and is whenever
 * `VIEW_VERSION` differs from what the file says.
 *
 * V1 Ruling bodies stay in the ledger; a row says where, and the hash of the segment that was folded.
 * V2 Words that come again and again (names of states, rules, actors) stand in `words` once, and as numbers elsewhere.
 * V3 Runs have numbers in the order in which they were first heard of, so that what is written stays together at the
 *    end of the tables while old runs are left alone.
 */
import { FOLD_VERSION } from '../fold/workspace.ts';

/** Raised when the rows come to mean something else: the view is built anew while the old one still serves. */
const ROWS_VERSION = 2;
export const VIEW_VERSION = `${String(FOLD_VERSION)}.${String(ROWS_VERSION)}`;

/** Raised when the tables themselves change: an old file cannot even serve. */
export const SCHEMA_VERSION = 4;

export const SCHEMA = `
  CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1), version TEXT NOT NULL,
    seq INTEGER NOT NULL, hash TEXT NOT NULL, epoch INTEGER NOT NULL, policy TEXT NOT NULL,
    time_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, rulings INTEGER NOT NULL, segments INTEGER NOT NULL
  );
  CREATE TABLE words (num INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
  CREATE TABLE segments (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, entries INTEGER NOT NULL);
  CREATE TABLE voids (seq INTEGER PRIMARY KEY);
  CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, policy TEXT NOT NULL);

  CREATE TABLE runs (
    num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, root INTEGER NOT NULL, parent INTEGER NOT NULL,
    kind TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, message TEXT, due_ms INTEGER,
    since_ms INTEGER NOT NULL, version INTEGER NOT NULL, attempt INTEGER NOT NULL, retries_used INTEGER NOT NULL,
    resumes INTEGER NOT NULL, retries_max INTEGER NOT NULL, priority INTEGER NOT NULL, execution INTEGER NOT NULL, session TEXT, actor INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER, slots TEXT,
    created_seq INTEGER NOT NULL, created_idx INTEGER NOT NULL, moved_seq INTEGER NOT NULL, moved_idx INTEGER NOT NULL,
    rulings INTEGER NOT NULL, rejected INTEGER NOT NULL, resuming INTEGER NOT NULL,
    expected_ms INTEGER NOT NULL, run_ms INTEGER NOT NULL, tags TEXT, deployment TEXT,
    title TEXT, started_by TEXT, inputs_seq INTEGER NOT NULL, inputs_idx INTEGER NOT NULL
  );
  CREATE INDEX runs_by_root ON runs (root, num) WHERE parent <> 0;
  CREATE INDEX flow_runs_by_id ON runs (id) WHERE parent = 0;
  CREATE INDEX flow_runs_by_state ON runs (type, num) WHERE parent = 0;
  CREATE INDEX flow_runs_by_name ON runs (name, num) WHERE parent = 0;
  CREATE INDEX runs_by_starter ON runs (started_by, num) WHERE started_by IS NOT NULL;

  CREATE TABLE rulings (
    root INTEGER NOT NULL, seq INTEGER NOT NULL, idx INTEGER NOT NULL, run INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    outcome INTEGER NOT NULL, code INTEGER NOT NULL, actor INTEGER NOT NULL, from_state INTEGER NOT NULL,
    to_state INTEGER NOT NULL, rule INTEGER NOT NULL, waited_ms INTEGER, PRIMARY KEY (root, seq, idx)
  ) WITHOUT ROWID;
  CREATE INDEX rulings_by_actor ON rulings (actor, seq, idx);

  CREATE TABLE held (
    id TEXT PRIMARY KEY, run INTEGER NOT NULL, root INTEGER NOT NULL, actor INTEGER NOT NULL, to_type TEXT NOT NULL,
    execution INTEGER, waits TEXT NOT NULL, since_ms INTEGER NOT NULL, priority INTEGER NOT NULL,
    seq INTEGER NOT NULL, idx INTEGER NOT NULL, last_seq INTEGER NOT NULL, last_idx INTEGER NOT NULL
  );
  CREATE INDEX held_by_age ON held (seq, idx);
  CREATE INDEX held_by_root ON held (root, seq, idx);
  CREATE INDEX held_by_run ON held (run);
  CREATE TABLE limits (
    name TEXT PRIMARY KEY, lim TEXT NOT NULL, by_key TEXT, slots_max INTEGER, used INTEGER NOT NULL, on_full TEXT,
    every_ms REAL, empty_at_ms REAL
  ) WITHOUT ROWID;
  CREATE TABLE slots (
    name TEXT NOT NULL, run INTEGER NOT NULL, slots INTEGER NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY (name, run)
  ) WITHOUT ROWID;
  CREATE TABLE waiting_for (id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (id, name)) WITHOUT ROWID;
  CREATE INDEX waiting_for_by_name ON waiting_for (name);

  CREATE TABLE sessions (
    num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, rulings INTEGER NOT NULL, closed_ms INTEGER
  );
  CREATE TABLE counters (
    outcome INTEGER NOT NULL, rule INTEGER NOT NULL, code INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (outcome, rule, code)
  ) WITHOUT ROWID;
  CREATE TABLE rules (
    rule TEXT NOT NULL, kind TEXT NOT NULL, passed INTEGER NOT NULL, rewrote INTEGER NOT NULL, rejected INTEGER NOT NULL,
    held INTEGER NOT NULL, errors INTEGER NOT NULL, overridden INTEGER NOT NULL, PRIMARY KEY (rule, kind)
  ) WITHOUT ROWID;
  CREATE TABLE shadow_counts (
    rule TEXT NOT NULL, hour_ms INTEGER NOT NULL, passed INTEGER NOT NULL, rewrote INTEGER NOT NULL,
    rejected INTEGER NOT NULL, held INTEGER NOT NULL, errors INTEGER NOT NULL, flips INTEGER NOT NULL,
    PRIMARY KEY (rule, hour_ms)
  ) WITHOUT ROWID;
  CREATE TABLE shadow_flips (
    rule TEXT NOT NULL, seq INTEGER NOT NULL, idx INTEGER NOT NULL, root INTEGER NOT NULL, PRIMARY KEY (seq, idx, rule)
  ) WITHOUT ROWID;
  CREATE TABLE artifacts (
    run TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, idx INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL, description TEXT, actor INTEGER NOT NULL, newest INTEGER NOT NULL,
    PRIMARY KEY (run, key, seq, idx)
  ) WITHOUT ROWID;
  CREATE INDEX artifacts_newest ON artifacts (seq, idx) WHERE newest = 1;
  CREATE INDEX artifacts_by_key ON artifacts (key, seq, idx);
  CREATE TABLE hooks (
    run TEXT NOT NULL, seq INTEGER NOT NULL, idx INTEGER NOT NULL, at_ms INTEGER NOT NULL, hook TEXT NOT NULL,
    function TEXT, failed INTEGER NOT NULL, PRIMARY KEY (run, seq, idx)
  ) WITHOUT ROWID;
  CREATE TABLE variables (
    name TEXT PRIMARY KEY, value TEXT NOT NULL, tags TEXT, set_by TEXT NOT NULL, at_ms INTEGER NOT NULL, run TEXT,
    seq INTEGER NOT NULL, idx INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE run_counts (
    kind TEXT NOT NULL, type TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (kind, type)
  ) WITHOUT ROWID;
`;
