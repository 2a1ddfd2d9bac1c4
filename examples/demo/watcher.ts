/** Watches the flow's own news and draws them; remembers whom to ask the ledger about. */
import { progress, type Progress } from './flow.ts';
import { styled, type Terminal } from './terminal.ts';

export class Watcher {
  readonly #terminal: Terminal;
  #months = 0;
  #fetched = 0;
  #failures = 0;
  #quarantined = 0;
  #flowRun: string | undefined;
  #hardest: { readonly month: string; readonly attempt: number; readonly taskRun: string } | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    progress.subscribe(this.#hear);
  }

  /** The flow run; unknown until it runs. */
  get flowRun(): string | undefined {
    return this.#flowRun;
  }

  /** The fetched page that needed the most attempts. */
  get hardest(): { readonly month: string; readonly attempt: number; readonly taskRun: string } | undefined {
    return this.#hardest;
  }

  close(): void {
    progress.unsubscribe(this.#hear);
  }

  readonly #hear = (message: unknown): void => {
    const news = message as Progress;
    switch (news.type) {
      case 'LISTED':
        this.#months = news.months;
        this.#flowRun = news.flowRun;
        break;
      case 'FETCHED':
        if (news.attempt > (this.#hardest?.attempt ?? 1)) this.#hardest = news;
        if (news.attempt > 1) this.#say('green', `${news.month}  attempt ${String(news.attempt)} succeeded`);
        break;
      case 'FAILED':
        this.#failures += 1;
        this.#say('yellow', `${news.month}  attempt ${String(news.attempt)} failed: ${news.why}`);
        break;
      case 'SORTED':
        this.#fetched += 1;
        this.#quarantined += news.quarantined;
    }
    const pages = `${String(this.#fetched)} of ${String(this.#months)} pages`;
    const troubles = `${String(this.#failures)} failed attempts, ${String(this.#quarantined)} rows set aside`;
    this.#terminal.progress(this.#fetched, this.#months, `${pages}, ${troubles}`);
  };

  #say(colour: 'green' | 'yellow', text: string): void {
    this.#terminal.detail(styled(colour, text));
  }
}
