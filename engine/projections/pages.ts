/** Pages of answers: as many rows as were asked for, cut shorter where their bytes are too many for one message. */

export const PAGE_ROWS = 200;
/** Well below the 1 MB that a NATS server takes by default. */
const PAGE_BYTES = 512 * 1024;

export type Page<T> = { readonly rows: readonly T[]; readonly more: boolean };

/** `found` holds one row more than `limit` if there is more. */
export function cutPage<T>(found: readonly T[], limit: number): Page<T> {
  let bytes = 0;
  let count = 0;
  for (const row of found) {
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    if (count === limit || (count > 0 && bytes > PAGE_BYTES)) break;
    count += 1;
  }
  return { rows: found.slice(0, count), more: count < found.length };
}
