/** Messages and events that a run waits for, in words: what has to come, and how somebody sends it. */
import { mailboxParts, topicParts } from '../../protocol/proposals.ts';
import type { Mail } from '../../protocol/query.ts';
import { oneLine } from './style.ts';

/** What has to come. */
export function mailText({ mailbox, topic }: Mail): string {
  const { kind, name } = mailboxParts(mailbox);
  switch (kind) {
    case 'message':
      return `the message '${oneLine(name)}'`;
    case 'pause':
      return `the input of the pause '${oneLine(name)}'`;
    case 'event':
      return `the event '${oneLine(topic ?? name)}'`;
  }
}

/** The command that makes it come. */
export function sendText({ mailbox, topic }: Mail): string {
  const { run, kind, name } = mailboxParts(mailbox);
  switch (kind) {
    case 'message':
      return `assent runs send ${run} ${shellWord(name)} JSON`;
    case 'pause':
      return `assent runs resume ${run} --input JSON`;
    case 'event': {
      const { name: event, key } = topicParts(topic ?? name);
      return `assent events emit ${shellWord(event)} JSON${key === undefined ? '' : ` --key ${shellWord(key)}`}`;
    }
  }
}

const shellWord = (text: string): string =>
  /^[\w.:/@-]+$/.test(text) ? text : `'${oneLine(text).replaceAll("'", `'\\''`)}'`;
