/**
 * Work that keeps a processor busy belongs in threads: the flow's own process stays awake, all processors are used, and a
 * computation that never ends can be ended, thread and all, when its time is over.
 *
 *   npx node examples/23-threads-for-computing.ts
 */
import { flow, task, threads } from 'assent';

/** How many primes there are from here to there. */
const countPrimes = task({ name: 'count-primes' }, (from: number, to: number) => {
  let primes = 0;
  for (let n = Math.max(2, from); n < to; n += 1) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor > 0) divisor += 1;
    if (divisor * divisor > n) primes += 1;
  }
  console.log(`${String(from)} to ${String(to)}: ${String(primes)} primes`);
  return primes;
});

/** An odd number that is the sum of its divisors: nobody has found one yet. */
const findOddPerfect = task({ name: 'find-odd-perfect', timeout: '500ms' }, () => {
  for (let n = 3; ; n += 2) {
    let sum = 1;
    for (let divisor = 3; divisor * divisor <= n; divisor += 2) {
      if (n % divisor === 0) sum += divisor + (divisor * divisor === n ? 0 : n / divisor);
    }
    if (sum === n) return n;
  }
});

export const numbers = flow({ name: 'numbers', taskRunner: threads({ maxThreads: 2, grace: '100ms' }) }, async () => {
  const search = findOddPerfect.submit();
  const starts = [0, 250_000, 500_000, 750_000];
  const counts = await countPrimes
    .map(
      starts,
      starts.map((from) => from + 250_000),
    )
    .results();
  const { name } = await search.state();
  return { primesBelowAMillion: counts.reduce((sum, count) => sum + count, 0), search: name };
});

if (process.argv[1] === import.meta.filename) {
  let ticks = 0;
  const ticking = setInterval(() => (ticks += 1), 10);
  console.log(await numbers());
  clearInterval(ticking);
  console.log('Meanwhile, the main thread had time for', ticks > 10 ? 'other things.' : 'nothing else.');
}
