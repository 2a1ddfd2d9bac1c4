/**
 * Machine learning in steps that survive: how warm will a day in Seattle be? The features are computed once and kept for
 * every later run (a cache key made of the inputs and of the code); the training goes on from its last checkpoint when the
 * process is killed; and several learning rates are tried side by side.
 *
 *   npx node examples/09-train-a-model.ts 0.001 0.03 0.3
 */
import { readFile } from 'node:fs/promises';
import { flow, INPUTS, task, TASK_SOURCE, unmapped } from 'assent';
import { z } from 'zod';

type Row = { readonly x: readonly number[]; readonly y: number };
type Features = { readonly training: readonly Row[]; readonly test: readonly Row[] };

const makeFeatures = task(
  { name: 'make-features', cachePolicy: INPUTS.plus(TASK_SOURCE), cacheExpiration: '1d' },
  async (dataset: string): Promise<Features> => {
    console.log('computing the features');
    const csv = await readFile(new URL(`../data/${dataset}`, import.meta.resolve('vega-datasets')), 'utf8');
    const rows = csv.trim().split('\n').slice(1).map(rowOf);
    return { training: rows.filter((_, day) => day % 5 > 0), test: rows.filter((_, day) => day % 5 === 0) };
  },
);

/** The season as a circle, the low and the rain of the day, and a constant. */
function rowOf(line: string): Row {
  const [date = '', rain, high, low] = line.split(',');
  const season = (2 * Math.PI * (Date.parse(date) % 31_556_952_000)) / 31_556_952_000;
  return { x: [1, Math.sin(season), Math.cos(season), Number(low) / 10, Number(rain) / 10], y: Number(high) };
}

const EPOCHS = 200;
const trainEpochs = task(
  { name: 'train-epochs' },
  (rows: readonly Row[], weights: readonly number[], rate: number, from: number) => {
    let w = [...weights];
    for (let epoch = 0; epoch < EPOCHS; epoch += 1) {
      const gradient = w.map(() => 0);
      for (const row of rows) {
        const error = predict(w, row) - row.y;
        row.x.forEach((value, i) => (gradient[i] = (gradient[i] ?? 0) + (error * value) / rows.length));
      }
      w = w.map((value, i) => value - rate * (gradient[i] ?? 0));
    }
    console.log(`rate ${String(rate)}: ${String(from + EPOCHS)} epochs`);
    return w;
  },
);

const train = flow({ name: 'train' }, async ({ rate, rows }: { rate: number; rows: readonly Row[] }) => {
  let weights: readonly number[] = [0, 0, 0, 0, 0];
  // Each call is a checkpoint: its weights are on the ledger before the next one begins.
  for (let epochs = 0; epochs < 1000; epochs += EPOCHS) weights = await trainEpochs(rows, weights, rate, epochs);
  return { rate, weights };
});

const evaluate = task(
  { name: 'evaluate' },
  (model: { rate: number; weights: readonly number[] }, rows: readonly Row[]) => ({
    rate: model.rate,
    meanErrorCelsius: rows.reduce((sum, row) => sum + Math.abs(predict(model.weights, row) - row.y), 0) / rows.length,
  }),
);

const predict = (weights: readonly number[], { x }: Row): number =>
  x.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);

export const findRate = flow(
  { name: 'find-rate', parameters: z.object({ rates: z.array(z.number().positive()).min(1) }) },
  async ({ rates }) => {
    const { training, test } = await makeFeatures('seattle-weather.csv');
    // A future is an input like any other: each model is judged as soon as it is trained.
    const models = rates.map((rate) => train.submit({ rate, rows: training }));
    const scores = await evaluate.map(models, unmapped(test)).results();
    return scores.toSorted((a, b) => a.meanErrorCelsius - b.meanErrorCelsius);
  },
);

if (process.argv[1] === import.meta.filename) {
  const rates = process.argv.slice(2).map(Number);
  console.table(await findRate({ rates: rates.length > 0 ? rates : [0.001, 0.03, 0.3] }));
}
