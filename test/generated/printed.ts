/** A generated program as text that reads like the TypeScript one would write. */
import {
  calleeOf,
  flowName,
  taskName,
  type Block,
  type Call,
  type Expression,
  type Program,
  type Statement,
  type TaskPlan,
} from './program.ts';

export function printed(program: Program): string {
  const tasks = program.tasks.map((plan, index) => printedTask(plan, taskName(index), program.slots));
  const order = program.isOpen ? 'open: the order of ends may show' : 'the order of ends does not show';
  const flows = program.flows.map((plan, index) => {
    const options = [`name: '${flowName(index)}'`, ...(plan.retries === 0 ? [] : [`retries: ${String(plan.retries)}`])];
    const repair = ['try { shaky() } catch (error) { await repair(); throw error; }'];
    const lines = [...(plan.isRepaired ? repair : []), ...new Printer(program, index).block(plan.body, 1)];
    return [
      `const ${flowName(index)} = flow({ ${options.join(', ')} }, async (v0) => {`,
      ...indented(lines),
      '});',
    ].join('\n');
  });
  return [`// ${order}`, ...tasks, ...flows.reverse()].join('\n');
}

function printedTask(plan: TaskPlan, name: string, slots: number): string {
  const options = [
    `name: '${name}'`,
    ...(plan.failures === 0 ? [] : [`retries: ${String(plan.failures)}`]),
    ...(plan.end === 'HANGS' ? ["timeout: 'short'"] : plan.isTimed ? ["timeout: 'long'"] : []),
    ...(plan.isLimited ? [`limits: ['limit of ${String(slots)}']`] : []),
    ...(plan.awaitsRuling ? ["await: 'ruling'"] : []),
    ...(plan.key === 'NONE' ? [] : [plan.key === 'FIXED' ? "key: 'fixed'" : 'key: (...inputs) => text(inputs)']),
  ];
  const body = [
    ...(isSync(plan) ? [] : ['await latency();']),
    ...(plan.failures === 0 ? [] : [`if (attempt <= ${String(plan.failures)}) throw error;`]),
    ...(plan.failsBelow === 0 ? [] : [`if (inputs[0] < ${String(plan.failsBelow)}) throw error;`]),
    ...(plan.end === 'FAILS' ? ['throw error;'] : []),
    ...(plan.end === 'HANGS' ? ['await aborted(signal);'] : []),
    ...(plan.end === 'COMPLETES'
      ? [plan.bare ? `return shape${String(plan.shape)};` : `return { stamp, shape: shape${String(plan.shape)} };`]
      : []),
  ];
  return `const ${name} = task({ ${options.join(', ')} }, ${isSync(plan) ? '' : 'async '}(...inputs) => { ${body.join(' ')} });`;
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

class Printer {
  readonly #program: Program;
  readonly #flow: number;

  constructor(program: Program, flow: number) {
    this.#program = program;
    this.#flow = flow;
  }

  /** `seen`: how many values are in sight. */
  block(block: Block, seen: number): string[] {
    const lines = block.flatMap((statement, index) => this.#statement(statement, seen + index));
    const names = block.map((_, index) => `v${String(seen + index)}`);
    return [...lines, `return [${names.join(', ')}];`];
  }

  #statement(statement: Statement, seen: number): string[] {
    const name = `v${String(seen)}`;
    switch (statement.type) {
      case 'CALL':
        return [`const ${name} = await ${this.#call(statement.call, seen)};`];
      case 'ALL':
      case 'SETTLED':
      case 'RACE':
        return [
          `const ${name} = await Promise.${METHODS[statement.type]}([`,
          ...this.#branches(statement.branches, seen),
          ']);',
        ];
      case 'FILL':
        return [
          `const ${name}filled = new ${statement.into}; // filled in the order in which the branches end`,
          `await Promise.all([`,
          ...this.#branches(statement.branches, seen).map((line) =>
            line.replace(/^ {2}\}\)\(\),$/, `  })().then(put(${name}filled)),`),
          ),
          ']);',
          `const ${name} = await ${this.#call(statement.pass, seen + 1, [`${name}filled`], name)};`,
        ];
      case 'IF':
        return [
          `let ${name};`,
          `if (even(${this.#value(statement.on, seen)})) ${name} = await (async () => {`,
          ...indented(this.block(statement.yes, seen)),
          `})(); else ${name} = await (async () => {`,
          ...indented(this.block(statement.no, seen)),
          '})();',
        ];
      case 'EACH':
        return [
          `const ${name} = await ${statement.atOnce ? 'Promise.all' : 'oneAfterTheOther'}(pieces(${this.#value(statement.of, seen)}).map(async (${name}) => {`,
          ...indented(this.block(statement.body, seen + 1)),
          '}));',
        ];
      case 'TRY':
        return [
          `const ${name} = await (async () => { try {`,
          ...indented(this.block(statement.body, seen)),
          `} catch (${name}) {`,
          ...indented(this.block(statement.caught, seen + 1)),
          '} })();',
        ];
      case 'AGAIN':
        return [
          `for (let count = 0; count < ${String(statement.times)}; count += 1) {`,
          `  try { var ${name} = await ${this.#call(statement.call, seen, ['count'])}; break; } catch {}`,
          '}',
        ];
    }
  }

  #branches(branches: readonly Block[], seen: number): string[] {
    return branches.flatMap((branch) => [
      '  (async () => {',
      ...indented(indented(this.block(branch, seen))),
      '  })(),',
    ]);
  }

  /** `last`: the name of the last value in sight, where it is not the usual one. */
  #call(call: Call, seen: number, first: readonly string[] = [], last?: string): string {
    const inputs = [...first, ...call.inputs.map((input) => this.#value(input, seen))];
    const { kind, index } = calleeOf(this.#program, this.#flow, call);
    const text =
      kind === 'TASK'
        ? `${taskName(index)}(${inputs.join(', ')})`
        : `${flowName(index)}({ inputs: [${inputs.join(', ')}] })`;
    return last === undefined
      ? text
      : text.replaceAll(new RegExp(`\\bv${String(seen - 1)}\\b(?!filled)`, 'g'), `${last}filled`);
  }

  #value(expression: Expression, seen: number): string {
    switch (expression.type) {
      case 'SHAPE':
        return `shape${String(expression.shape)}(${String(expression.n)})`;
      case 'SEEN':
        return `v${String(expression.place % seen)}`;
      case 'LIST':
        return `[${expression.items.map((item) => this.#value(item, seen)).join(', ')}]`;
      case 'OBJECT':
      case 'MAP':
      case 'SET':
        return `${expression.type.toLowerCase()}(${expression.items.map((item) => this.#value(item, seen)).join(', ')})`;
    }
  }
}

const METHODS = { ALL: 'all', SETTLED: 'allSettled', RACE: 'race' } as const;

/** What hangs waits. */
const isSync = ({ sync, end }: TaskPlan): boolean => sync && end !== 'HANGS';
