/** What a flow's process and its task threads say to each other. Values travel as they are recorded: as text. */
import type { MessagePort } from 'node:worker_threads';
import type { HiddenValues } from '../scrubber.ts';
import type { TaskOrigin } from '../task-origins.ts';

/** One attempt of a task, for a thread. `port` is its own line to the process. */
export type ThreadJob = {
  readonly origin: TaskOrigin;
  readonly inputs: string;
  readonly run: string;
  readonly name: string;
  readonly attempt: number;
  /** What nobody shall see of what it logs: paths. */
  readonly redact: readonly string[];
  /** What nobody shall see of what it makes: what its process knows so far. */
  readonly hidden: HiddenValues;
  readonly flow: { readonly run: string; readonly name: string; readonly attempt: number };
  readonly port: MessagePort;
};

/** Said to the thread: stop, for this reason. */
export type ThreadOrder = { readonly type: 'ABORT'; readonly reason: string };

/** Said by the thread while the function runs: a line of its log; a secret that it has revealed. */
export type ThreadWord =
  { readonly type: 'LOG'; readonly line: string } | { readonly type: 'REVEALED'; readonly value: string };

/** What the function gave, or threw. */
export type ThreadResult =
  | { readonly type: 'VALUE'; readonly value: string }
  /** Ends that it returned: one, or a list. */
  | { readonly type: 'STATES'; readonly states: string; readonly isList: boolean }
  | { readonly type: 'ERROR'; readonly error: string };
