/** What an outsider reads in the ledger: which segments count, and the state that they lead to. Follows every rewind. */
import { chainOver, stillStands, type Chain } from '../../engine/fold/chain.ts';
import { evolveSegment } from '../../engine/fold/evolve.ts';
import { Workspace } from '../../engine/fold/workspace.ts';
import type { MemoryLog } from '../../engine/log/memory.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Order } from '../../protocol/messages.ts';
import { rootOf } from '../../protocol/proposals.ts';

export class LedgerView {
  workspace = new Workspace();
  readonly #ledger: MemoryLog;
  #chain: Chain;
  #updating: Promise<void> = Promise.resolve();

  constructor(ledger: MemoryLog) {
    this.#ledger = ledger;
    this.#chain = chainOver(ledger, this.workspace.meta.head);
  }

  update(): Promise<void> {
    this.#updating = this.#updating.then(() => this.#catchUp());
    return this.#updating;
  }

  async #catchUp(): Promise<void> {
    const { head } = this.workspace.meta;
    if (!(await stillStands(this.#ledger, head)) || !(await stillStands(this.#ledger, this.#chain.tail))) {
      this.workspace = new Workspace();
      this.#chain = chainOver(this.#ledger, this.workspace.meta.head);
    }
    for await (const message of this.#ledger.read(this.#chain.last + 1)) {
      const link = await this.#chain.take(message);
      if (link.type === 'COUNTED') evolveSegment(this.workspace, link.segment, message.seq);
    }
  }

  /** A run as it was settled when the view was updated last. */
  look(id: RunId): Order | undefined {
    void this.update();
    const run = this.workspace.runs.get(id);
    if (run === undefined) return undefined;
    const { state, version, last } = run;
    const execution = this.workspace.runs.get(rootOf(id))?.execution ?? 0;
    return { run: id, state, version, execution, by: 'engine', ...last };
  }
}
