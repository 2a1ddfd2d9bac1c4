/** The errors of Assent: the table of their kinds, and the class. `docs/errors.md` is generated from this file. */
import { showCallers } from './callers.ts';

/**
 * Every way in which the outside world can fail us, one row each. Codes are public and permanent, texts are not.
 * `docs/errors.md` is generated from this file.
 */
export const ERRORS = {
  // 1xxx: the server and the streams
  NATS_SERVER_MISSING: {
    code: 1001,
    remedy:
      'Set ASSENT_NATS_SERVER to a nats-server binary, put one on PATH (2.10 or newer), or set ASSENT_URL to a server that runs.',
  },
  NATS_SERVER_TOO_OLD: { code: 1002, remedy: 'Use nats-server 2.10 or newer.' },
  NATS_SERVER_FAILED: { code: 1003, remedy: 'Read the log named above; run `assent doctor`.' },
  NATS_UNREACHABLE: { code: 1004, remedy: 'Check ASSENT_URL, and that the server runs with JetStream enabled.' },
  FOLDER_LOCKED: {
    code: 1005,
    remedy: 'Another engine uses this folder: stop it, or give this one a folder of its own (--data or ASSENT_DATA).',
  },
  FOLDER_READ_ONLY: { code: 1006, remedy: 'Make the folder writable, or choose another with --data or ASSENT_DATA.' },
  PORT_IN_USE: { code: 1007, remedy: 'Choose another port, or leave the port out to have a free one found.' },
  DOWNLOAD_CORRUPT: {
    code: 1008,
    remedy: 'The download did not match its published checksum and was deleted; try again, or set ASSENT_NATS_SERVER.',
  },
  NODE_TOO_OLD: {
    code: 1009,
    remedy: 'Use Node.js 22.13 or newer; in a project, `npm install --save-dev node@24` brings one.',
  },
  STREAM_UNFIT: {
    code: 1010,
    remedy:
      'Correct the stream with `nats stream edit`, or delete it if it holds nothing of worth, or use another workspace.',
  },
  STREAM_REFUSED: {
    code: 1011,
    remedy:
      'The text is the server’s own: free disk or raise its max_file_store, lower the limits, or see its permissions.',
  },
  FOLDER_MISSING: {
    code: 1012,
    remedy:
      'Go to the project’s folder, or name its data folder by --data or ASSENT_DATA; the first flow that runs there makes one, as does `assent server`.',
  },
  // 2xxx: what enters by the door
  BAD_PROPOSAL: { code: 2001, remedy: 'Use the same minor version of SDK and engine; the problem names the field.' },
  BAD_PARAMETERS: { code: 2002, remedy: 'Correct the parameters named above: the flow’s function was not called.' },
  BAD_OPTION: {
    code: 2003,
    remedy: 'Correct what is named above; the doc comment of what was called says what it takes.',
  },
  VALUE_TOO_LARGE: { code: 2004, remedy: 'Write the data to a file or a store and return its address.' },
  VALUE_NOT_SERIALIZABLE: {
    code: 2005,
    remedy:
      'Use plain data, Date, Map, Set, BigInt, Error, URL or typed arrays there, or teach the class to be recorded by `registerSerializer`.',
  },
  RUN_NOT_FOUND: { code: 2006, remedy: 'List the runs with `assent runs ls`.' },
  RUN_AMBIGUOUS: { code: 2007, remedy: 'Give more characters of the id.' },
  USAGE: { code: 2008, remedy: 'Do as the text above says; `--help` lists what there is.' },
  FLOW_NOT_FOUND: {
    code: 2009,
    remedy: 'Look at the name of the file; export the flow from it, or name one of several with a colon: FILE:flow.',
  },
  OUTSIDE_RUN: { code: 2010, remedy: 'Call it in the function of a flow or a task, while that runs.' },
  OUTSIDE_FLOW: {
    code: 2019,
    remedy: 'Call it in the function of a flow: only a flow waits, a task is at work.',
  },
  LIMIT_NOT_FOUND: { code: 2012, remedy: 'List the limits with `assent limits ls`.' },
  ARTIFACT_NOT_FOUND: { code: 2013, remedy: 'List the artifacts with `assent artifacts ls`.' },
  VARIABLE_NOT_FOUND: { code: 2014, remedy: 'List the variables with `assent variables ls`.' },
  SECRET_UNAVAILABLE: {
    code: 2015,
    remedy:
      'Set the environment variable or put the file where this process runs, or give the value anew: it is not recorded.',
  },
  SERIALIZER_UNKNOWN: {
    code: 2016,
    remedy: 'Call `registerSerializer` for the name above before the run is read, as the program did that recorded it.',
  },
  VALUE_MISSING: {
    code: 2017,
    remedy: 'Put the value back where it was stored, or set the same result storage as the program that recorded it.',
  },
  TASK_NOT_FOUND: {
    code: 2018,
    remedy: 'Define the task at the top of a file, not in a function, so that whoever loads the file defines it too.',
  },
  // 3xxx: the ledger
  LEDGER_BROKEN: {
    code: 3001,
    remedy: 'Stop writing; verify an export with `assent audit verify FILE`; restore the stream from a backup.',
  },
  LEDGER_REWOUND: {
    code: 3002,
    remedy: 'The store went back to an earlier copy; views above it are rebuilt, the loss is on the ledger.',
  },
  EXPORT_BROKEN: {
    code: 3004,
    remedy:
      'The file is not as it was written: export it again, or get it anew. The ledger itself is verified by `assent audit verify`.',
  },
  LEDGER_UNREACHABLE: {
    code: 3003,
    remedy: 'See `assent doctor`; the engine goes on by itself when the server is back.',
  },
  // 4xxx: rulings that a caller may meet as an error
  REJECTED: {
    code: 4001,
    remedy: '`assent why RUN` says in which state the run is, and what was refused by which rule.',
  },
  FENCED: {
    code: 4002,
    remedy:
      'This process must stop. `assent why RUN` shows whether another goes on with the run; if none does, start the script again.',
  },
  CANCELLED: { code: 4003, remedy: '`assent why RUN` names who cancelled it and why.' },
  TIMED_OUT: { code: 4004, remedy: 'Raise `timeout`, or make the work shorter.' },
  INPUT_REFUSED: {
    code: 4011,
    remedy: 'Say what the pause asks for: `assent runs resume RUN` without --input lists it. The run still waits.',
  },
  NOT_READY: { code: 4006, remedy: 'See the cause: the call that it needs did not complete.' },
  DIVERGED: {
    code: 4007,
    remedy:
      '`assent diff RUN` shows what differs. Put the code back, then go on with `assent runs retry RUN`, or for a script with `assent run FILE --resume RUN`.',
  },
  UNAWAITED_FAILURE: {
    code: 4008,
    remedy: 'Await the call, or look at its `state()`, if its failure is none of the flow.',
  },
  THREAD_ENDED: {
    code: 4009,
    remedy: 'See the cause: something in the task ended its thread, by process.exit() or by using up its memory.',
  },
  NO_WORKER: {
    code: 4010,
    remedy: 'Start the run with `startRun` for a worker that serves the flow; or use `pause`, which keeps its process.',
  },
  ROLLBACK_FAILED: {
    code: 4012,
    remedy:
      'Undo by hand what is named above; its cause is why it was to be undone. A run that is retried does the block again.',
  },
  FLOW_FAILED: { code: 4005, remedy: '`assent why RUN` shows the failure and what was tried.' },
  // 5xxx: the engine
  ENGINE_START_FAILED: { code: 5001, remedy: 'Read the message above; run `assent doctor`.' },
  ENGINE_UNAVAILABLE: {
    code: 5002,
    remedy: 'Start one with `assent server`, or see why it stopped with `assent doctor`.',
  },
  POLICY_INVALID: {
    code: 5003,
    remedy: 'Correct the module at the place named above; `assent policy check FILE` looks at it without an engine.',
  },
  POLICY_MISSING: {
    code: 5004,
    remedy:
      'Restore the object store, or put another policy in force: `assent server --policy FILE`, or `--policy core` for the rules of the engine itself.',
  },
  POLICY_UNTRUSTED: {
    code: 5005,
    remedy: 'If you trust where the file comes from, say so with --trust: its rules are then executed.',
  },
} as const satisfies Record<string, { code: number; remedy: string }>;

/** The kinds of errors: the names of the rows of {@link ERRORS}. */
export type ErrorKind = keyof typeof ERRORS;

/**
 * The one class of errors that Assent throws: a kind, its permanent code, what happened, and what to do. An error of another
 * copy of this package, which a project may have beside ours, is an instance of it too.
 */
export class AssentError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    const { name, kind } = (value ?? {}) as { name?: unknown; kind?: unknown };
    return name === 'AssentError' && typeof kind === 'string';
  }

  override readonly name: string = 'AssentError';
  /** What happened, without the code and the remedy. */
  declare readonly detail: string;
  readonly kind: ErrorKind;
  readonly code: number;
  declare readonly remedy: string;

  constructor(kind: ErrorKind, detail: string, options?: ErrorOptions) {
    super(`${detail} [${String(ERRORS[kind].code)} ${kind}] ${ERRORS[kind].remedy}`, options);
    showCallers(this, AssentError);
    this.kind = kind;
    this.code = ERRORS[kind].code;
    // They stand in the message: whoever prints the error need not read them twice.
    Object.defineProperty(this, 'detail', { value: detail });
    Object.defineProperty(this, 'remedy', { value: ERRORS[kind].remedy });
  }
}
