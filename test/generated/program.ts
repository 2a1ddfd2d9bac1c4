/**
 * A generated flow program: a few tasks and flows whose bodies are data, so that it can be generated, shrunk, printed as
 * TypeScript, run by real flows (bound.ts) and explained without them (explanation.ts). interpreter.ts says what it means.
 */

/** What stands where a value is wanted. `SEEN` counts from the first value in sight, modulo how many there are. */
export type Expression =
  | { readonly type: 'SHAPE'; readonly shape: number; readonly n: number }
  | { readonly type: 'SEEN'; readonly place: number }
  | { readonly type: 'LIST' | 'OBJECT' | 'MAP' | 'SET'; readonly items: readonly Expression[] };

export type Container = 'LIST' | 'OBJECT' | 'MAP' | 'SET';

/** Counts from the first task, or from the first flow below the caller, modulo how many there are. */
export type Call = {
  readonly callee: 'TASK' | 'FLOW';
  readonly place: number;
  readonly inputs: readonly Expression[];
};

export type Statement =
  | { readonly type: 'CALL'; readonly call: Call }
  | { readonly type: 'ALL' | 'SETTLED' | 'RACE'; readonly branches: readonly Block[] }
  /** Branches that each put their value into one container when they have it; then the container is passed on. */
  | { readonly type: 'FILL'; readonly into: Container; readonly branches: readonly Block[]; readonly pass: Call }
  | { readonly type: 'IF'; readonly on: Expression; readonly yes: Block; readonly no: Block }
  | { readonly type: 'EACH'; readonly of: Expression; readonly atOnce: boolean; readonly body: Block }
  | { readonly type: 'TRY'; readonly body: Block; readonly caught: Block }
  /** A loop that tries a call until it does not throw; the call's first input is the count. */
  | { readonly type: 'AGAIN'; readonly times: number; readonly call: Call };

export type Block = readonly Statement[];

export type TaskPlan = {
  /** It returns without waiting for anything. */
  readonly sync: boolean;
  readonly shape: number;
  /** It returns the shape alone, with no stamp. */
  readonly bare: boolean;
  /** Its first attempts fail, and it has as many retries. */
  readonly failures: number;
  /** What it does then; a task that hangs has a time-out. */
  readonly end: 'COMPLETES' | 'FAILS' | 'HANGS';
  /** It fails for good when its first input is a smaller number. */
  readonly failsBelow: number;
  readonly key: 'NONE' | 'OF_INPUTS' | 'FIXED';
  readonly isLimited: boolean;
  /** A time-out that is never reached; with one, a completion is awaited. */
  readonly isTimed: boolean;
  readonly awaitsRuling: boolean;
};

export type FlowPlan = {
  readonly retries: number;
  /** Its first attempt fails, and leaves the world so that the second one does not. */
  readonly isRepaired: boolean;
  readonly body: Block;
};

export type Program = {
  /** What the flow sees may depend on which of several calls ends first. */
  readonly isOpen: boolean;
  /** Slots of the program's limit. */
  readonly slots: number;
  readonly tasks: readonly [TaskPlan, ...TaskPlan[]];
  /** The first is called by the script, the others as subflows. */
  readonly flows: readonly [FlowPlan, ...FlowPlan[]];
};

export const taskName = (index: number): string => `task${String(index)}`;
export const flowName = (index: number): string => (index === 0 ? 'main' : `flow${String(index)}`);

/** The callee of a call in the flow at `caller`: a flow that has none below it calls a task instead. */
export function calleeOf(program: Program, caller: number, call: Call): { kind: 'TASK' | 'FLOW'; index: number } {
  const below = program.flows.length - 1 - caller;
  if (call.callee === 'FLOW' && below > 0) return { kind: 'FLOW', index: caller + 1 + (call.place % below) };
  return { kind: 'TASK', index: call.place % program.tasks.length };
}

/** The most calls of tasks and flows that one run can make, retries of flows left aside. */
export function callsMax(program: Program): number {
  const flows: number[] = [];
  for (let index = program.flows.length - 1; index >= 0; index -= 1) {
    const plan = program.flows[index];
    flows[index] = (plan?.isRepaired === true ? 2 : 0) + callsOf(program, index, flows, plan?.body ?? []);
  }
  return flows[0] ?? 0;
}

function callsOf(program: Program, caller: number, flows: readonly number[], block: Block): number {
  const ofCall = (call: Call): number => {
    const { kind, index } = calleeOf(program, caller, call);
    return 1 + (kind === 'FLOW' ? (flows[index] ?? 0) : 0);
  };
  const ofBlocks = (blocks: readonly Block[]): number =>
    blocks.reduce((sum, inner) => sum + callsOf(program, caller, flows, inner), 0);
  const ofStatement = (statement: Statement): number => {
    switch (statement.type) {
      case 'CALL':
        return ofCall(statement.call);
      case 'ALL':
      case 'SETTLED':
      case 'RACE':
        return ofBlocks(statement.branches);
      case 'FILL':
        return ofBlocks(statement.branches) + ofCall(statement.pass);
      case 'IF':
        return Math.max(ofBlocks([statement.yes]), ofBlocks([statement.no]));
      case 'EACH':
        return 3 * ofBlocks([statement.body]);
      case 'TRY':
        return ofBlocks([statement.body, statement.caught]);
      case 'AGAIN':
        return statement.times * ofCall(statement.call);
    }
  };
  return block.reduce((sum, statement) => sum + ofStatement(statement), 0);
}
