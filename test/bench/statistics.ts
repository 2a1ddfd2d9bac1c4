/** Distributions, in the words of the peers' result lines. */
import { round3 } from './machine.ts';

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round3(sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN);
}

export const latency = (values: readonly number[]): Record<string, number> => ({
  p50_ms: percentile(values, 0.5),
  p95_ms: percentile(values, 0.95),
  p99_ms: percentile(values, 0.99),
  max_ms: percentile(values, 1),
});

/** Of the times at which the steps of one flow completed, in order; `startMs` is when it began. */
export function steps(timesMs: readonly number[], startMs: number): Record<string, number> {
  const gaps = timesMs.map((time, i) => time - (timesMs[i - 1] ?? startMs));
  const n = timesMs.length;
  const k = Math.min(1000, Math.floor(n / 2));
  const last = timesMs[n - 1] ?? startMs;
  return {
    steps: n,
    steps_per_s: round3((n * 1000) / (last - startMs)),
    step_p50_ms: percentile(gaps, 0.5),
    step_p99_ms: percentile(gaps, 0.99),
    first_k: k,
    first_k_steps_per_s: round3((k * 1000) / ((timesMs[k - 1] ?? last) - startMs)),
    last_k_steps_per_s: round3((k * 1000) / (last - (timesMs[n - 1 - k] ?? startMs))),
  };
}
