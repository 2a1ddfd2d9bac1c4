/**
 * Somebody should hear of it. Hooks are called when a run has entered a state: here a message goes to a chat when the
 * flow fails for good, or is cancelled, and a timing when it completes. A hook that fails itself is recorded, and changes
 * nothing: the flow is what it was.
 *
 *   npx node examples/15-notify-on-failure.ts 3      (three bad files are too many)
 *   npx node examples/15-notify-on-failure.ts 1      (one is not)
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { flow, flowRun, task, type HookContext } from 'assent';
import { z } from 'zod';

/** The address of a chat's webhook, as the chat gives it out. */
let chat = process.env['CHAT_URL'] ?? '';

async function tellTheChat({ name, runId, attempt, state }: HookContext): Promise<void> {
  const words = `${name} (${runId}): ${state.name} in attempt ${String(attempt)}: ${state.message ?? ''}`;
  const response = await fetch(chat, { method: 'POST', body: words, signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`the chat answered ${String(response.status)}`);
}

const importFile = task(
  {
    name: 'import-file',
    onFailure: ({ inputs, state }) => {
      console.log(`${String(inputs[0])} is set aside: ${state.message ?? ''}`);
    },
  },
  (file: number, isBad: boolean) => {
    if (isBad) throw new Error(`file ${String(file)} has no header`);
    return file;
  },
);

export const importFiles = flow(
  {
    name: 'import-files',
    parameters: z.object({ files: z.int(), bad: z.int() }),
    retries: 1,
    onFailure: tellTheChat,
    onCancellation: tellTheChat,
    onCompletion: ({ name }) => {
      console.log(`${name} is done.`);
    },
  },
  async ({ files, bad }) => {
    const all = Array.from({ length: files }, (_, file) => file);
    const states = await importFile
      .map(
        all,
        all.map((file) => file < bad),
      )
      .states();
    const imported = states.filter(({ isCompleted }) => isCompleted).length;
    if (imported < files / 2) throw new Error(`only ${String(imported)} of ${String(files)} could be imported`);
    return { run: flowRun().id, imported };
  },
);

async function startChat(): Promise<Server> {
  const server = createServer((request, response) => {
    void text(request).then((words) => {
      console.log('CHAT:', words);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === import.meta.filename) {
  const server = chat === '' ? await startChat() : undefined;
  if (server !== undefined) chat = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const ended = importFiles({ files: 4, bad: Number(process.argv[2] ?? 3) });
  console.log(await ended.catch((error: unknown) => String(error)));
  server?.close();
}
