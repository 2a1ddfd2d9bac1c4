/**
 * What a call was given, for the record. Of a call that may turn out to be another one than was recorded (task-start.ts) it
 * is recorded at its start; of any other with the first report that an attempt of it failed, for whoever looks for the
 * cause. A call that completes pays nothing for it.
 *
 * G1 Nothing here fails a call, or makes it fail otherwise: what cannot be recorded is left out, and it is said why.
 * G2 What is reported is for people, as an error is: it loses what was redacted wherever it stands in it.
 */
import { inspect } from 'node:util';
import { LIMITS } from '../protocol/limits.ts';
import type { GivenInputs } from '../protocol/proposals.ts';
import { areChanged, type CallIdentity } from './call.ts';
import type { Client } from './client/client.ts';
import { headline } from './errors-across.ts';
import type { Redaction } from './redaction.ts';
import { scrubbed, scrubbedForPeople } from './scrubber.ts';
import { encodeText, recorded, recordedForPeople, type Recorded } from './values.ts';

type Call = {
  readonly name: string;
  /** What the task, and the flows around it, say that nobody shall see. */
  readonly redact: Redaction | undefined;
  readonly inputs: readonly unknown[];
};

const shownInputs = ({ redact, inputs }: Call): readonly unknown[] => redact?.ofInputs(inputs) ?? inputs;

const whose = ({ name }: Call): string => `The inputs of task '${name}'`;

/** As its parameters. What cannot be recorded cannot be compared either. */
export function recordedInputs(call: Call): Recorded | undefined {
  try {
    return recordedForPeople(encodeText(shownInputs(call), whose(call)), whose(call));
  } catch {
    return undefined;
  }
}

/** Longer ones have a preview, for lists and for what does not stand inline. */
const PREVIEW_ABOVE_BYTES = 512;
const PREVIEW_CHARACTERS = 400;

/** What the reports of one call's failures say of its inputs. */
export class FailureInputs {
  readonly #call: Call;
  readonly #client: Client;
  readonly #identity: CallIdentity;
  #given: GivenInputs | undefined;
  #isTold = false;

  constructor(client: Client, call: Call, identity: CallIdentity) {
    this.#call = call;
    this.#client = client;
    this.#identity = identity;
  }

  /** Before a failure is reported. Undefined: there is nothing to wait for; otherwise it resolves, whatever happens. */
  prepare(): Promise<void> | undefined {
    if (this.#given !== undefined) return undefined;
    try {
      const { given, text } = this.#read();
      this.#given = given;
      return text === undefined ? undefined : this.#store(text, given);
    } catch (error) {
      this.#given = { note: headline(error) };
      return undefined;
    }
  }

  /** For the report: once, because the others would say the same. */
  tell(): GivenInputs | undefined {
    if (this.#isTold || this.#given === undefined) return undefined;
    this.#isTold = true;
    return this.#given;
  }

  #read(): { readonly given: GivenInputs; readonly text?: Recorded } {
    const shown = shownInputs(this.#call);
    const text = scrubbedForPeople(encodeText(shown, whose(this.#call)));
    const bytes = Buffer.byteLength(text);
    const isChanged = areChanged(this.#identity, this.#call.inputs);
    const changed = isChanged ? { note: CHANGED } : {};
    if (bytes > LIMITS.failureInputsBytesMax) {
      const note = `They have ${String(bytes)} bytes: only their beginning is recorded.${isChanged ? ` ${CHANGED}` : ''}`;
      return { given: { preview: previewOf(shown, LIMITS.textMax), note } };
    }
    const preview = bytes > PREVIEW_ABOVE_BYTES ? { preview: previewOf(shown, PREVIEW_CHARACTERS) } : {};
    const whole = besideAnError(recorded(text, whose(this.#call)));
    return { given: { value: whole.value, ...preview, ...changed }, ...(whole.inline ? {} : { text: whole }) };
  }

  /** They may be read when the report is. */
  async #store(text: Recorded, { value: _, ...rest }: GivenInputs): Promise<void> {
    try {
      await this.#client.store(text);
    } catch (error) {
      const note = `They could not be stored: ${headline(error)}`.slice(0, LIMITS.textMax);
      this.#given = { ...rest, note };
    }
  }
}

/** Bytes of a text as it stands in the report: with an error of the worst kind beside it, that is a proposal still. */
const IN_REPORT_BYTES_MAX = 24 * 1024;

function besideAnError({ value, text, inline }: Recorded): Recorded {
  if (!inline || Buffer.byteLength(JSON.stringify(text)) <= IN_REPORT_BYTES_MAX) return { value, text, inline };
  return { value: { digest: value.digest, size: value.size }, text, inline: false };
}

const CHANGED = 'The attempt has changed them: so they were when it had failed.';

const AT_A_GLANCE = {
  depth: 3,
  compact: true,
  breakLength: Infinity,
  maxArrayLength: 20,
  maxStringLength: 200,
} as const;

function previewOf(inputs: readonly unknown[], characters: number): string {
  const text = scrubbed(inputs.map((input) => inspect(input, AT_A_GLANCE)).join(', '));
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
}
