/**
 * How many stars has a repository on GitHub? One task asks an API, and is tried again when that fails.
 *
 *   npx assent run examples/01-github-stars.ts --param repository=nodejs/node
 *   npx node examples/01-github-stars.ts nodejs/node
 */
import { flow, signal, task } from 'assent';
import { z } from 'zod';

const fetchStars = task(
  { name: 'fetch-stars', retries: 3, retryDelay: '500ms', timeout: '10s' },
  async (api: string, repository: string) => {
    // The signal ends the request when the task is timed out or cancelled.
    const response = await fetch(`${api}/repos/${repository}`, { signal: signal() });
    if (!response.ok) throw new Error(`GitHub answered ${String(response.status)}`);
    return z.object({ stargazers_count: z.number() }).parse(await response.json()).stargazers_count;
  },
);

export const githubStars = flow(
  {
    name: 'github-stars',
    // Checked before anything runs; a wrong parameter is an error that names it.
    parameters: z.object({
      repository: z.string().regex(/^[^/]+\/[^/]+$/, 'expected owner/name'),
      api: z.url().default('https://api.github.com'),
    }),
  },
  ({ repository, api }) => fetchStars(api, repository),
);

if (process.argv[1] === import.meta.filename) {
  const repository = process.argv[2] ?? 'nodejs/node';
  const api = process.env['GITHUB_API_URL'];
  const stars = await githubStars({ repository, ...(api === undefined ? {} : { api }) });
  console.log(repository, 'has', stars, 'stars');
}
