import type { Command } from 'commander';
import type { Client } from './client.ts';
import type { Output } from './output.ts';
import type { Place } from './place.ts';

/** What the program lends to a group of commands. */
export type Lent = {
  /** Describes a command and says at the end of its help how it is used. */
  readonly command: (parent: Command, usage: string, description: string, examples: readonly string[]) => Command;
  /** `file`: what is run, whose project's data folder it is. */
  readonly act: (act: (output: Output, place: Place) => Promise<number>, file?: string) => Promise<void>;
  /** As `act`, with a connection to the workspace. */
  readonly connected: (act: (client: Client, output: Output) => Promise<number>) => Promise<void>;
  readonly natural: (text: string) => number;
};
