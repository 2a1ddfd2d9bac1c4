/** Arbitrary programs, by fast-check: small ones first when they are shrunk. */
import fc from 'fast-check';
import {
  callsMax,
  type Block,
  type Call,
  type Expression,
  type FlowPlan,
  type Program,
  type Statement,
  type TaskPlan,
} from './program.ts';
import { SHAPE_COUNT } from './values.ts';

const CALLS_MAX = 36;
const PLACES = 12;

const place = fc.nat(PLACES);
const shape = fc.nat(SHAPE_COUNT - 1);
const rarely = fc.integer({ min: 0, max: 6 }).map((n) => n === 6);

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    { arbitrary: fc.record({ type: fc.constant('SHAPE'), shape, n: fc.nat(999) }), weight: 3 },
    { arbitrary: fc.record({ type: fc.constant('SEEN'), place }), weight: 5 },
    {
      arbitrary: fc.record({
        type: fc.constantFrom('LIST', 'OBJECT', 'MAP', 'SET'),
        items: fc.array(tie('expression'), { maxLength: 3 }),
      }),
      weight: 2,
    },
  ),
}));

const call: fc.Arbitrary<Call> = fc.record({
  callee: fc.oneof(
    { arbitrary: fc.constant('TASK' as const), weight: 3 },
    { arbitrary: fc.constant('FLOW' as const), weight: 1 },
  ),
  place,
  inputs: fc.array(expression, { maxLength: 2 }),
});

const { block } = fc.letrec<{ block: Block; statement: Statement }>((tie) => {
  const branches = fc.array(tie('block'), { minLength: 2, maxLength: 3 });
  return {
    block: fc.array(tie('statement'), { minLength: 1, maxLength: 3 }),
    statement: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { arbitrary: fc.record({ type: fc.constant('CALL'), call }), weight: 6 },
      { arbitrary: fc.record({ type: fc.constant('AGAIN'), times: fc.integer({ min: 1, max: 3 }), call }), weight: 1 },
      { arbitrary: fc.record({ type: fc.constantFrom('ALL', 'RACE', 'SETTLED'), branches }), weight: 4 },
      {
        arbitrary: fc.record({
          type: fc.constant('FILL'),
          into: fc.constantFrom('OBJECT', 'MAP', 'SET', 'LIST'),
          branches,
          pass: call,
        }),
        weight: 2,
      },
      {
        arbitrary: fc.record({ type: fc.constant('IF'), on: expression, yes: tie('block'), no: tie('block') }),
        weight: 1,
      },
      {
        arbitrary: fc.record({
          type: fc.constant('EACH'),
          of: expression,
          atOnce: fc.boolean(),
          body: tie('block'),
        }),
        weight: 1,
      },
      { arbitrary: fc.record({ type: fc.constant('TRY'), body: tie('block'), caught: tie('block') }), weight: 2 },
    ),
  };
});

const task: fc.Arbitrary<TaskPlan> = fc.record({
  sync: rarely,
  shape,
  bare: rarely,
  failures: fc.constantFrom(0, 0, 0, 1, 2),
  end: fc.oneof(
    { arbitrary: fc.constant('COMPLETES' as const), weight: 10 },
    { arbitrary: fc.constant('FAILS' as const), weight: 2 },
    { arbitrary: fc.constant('HANGS' as const), weight: 1 },
  ),
  failsBelow: fc.constantFrom(0, 0, 1, 2),
  key: fc.constantFrom('NONE', 'NONE', 'NONE', 'OF_INPUTS', 'FIXED'),
  isLimited: rarely,
  isTimed: rarely,
  awaitsRuling: rarely,
});

const flow: fc.Arbitrary<FlowPlan> = fc.record({
  retries: fc.constantFrom(0, 0, 1, 2),
  isRepaired: rarely,
  body: block,
});

const all: fc.Arbitrary<Program> = fc.record({
  isOpen: fc.boolean(),
  slots: fc.integer({ min: 1, max: 2 }),
  tasks: fc.array(task, { minLength: 1, maxLength: 5 }).map((tasks) => tasks as unknown as Program['tasks']),
  flows: fc.array(flow, { minLength: 1, maxLength: 3 }).map((flows) => flows as unknown as Program['flows']),
});

/**
 * Maps, sets and lists show in which order they were filled; objects do not. And a key that all calls of a task share
 * shows, when a flow is tried again, in which order they were made.
 */
function closed(program: Program): Program {
  if (program.isOpen) return program;
  const flows = program.flows.map(closedFlow);
  const again = flows.some(({ retries }) => retries > 0);
  const tasks = program.tasks.map((plan) => (again && plan.key === 'FIXED' ? { ...plan, key: 'OF_INPUTS' } : plan));
  return { ...program, flows, tasks } as unknown as Program;
}
const closedFlow = (plan: FlowPlan): FlowPlan => ({ ...plan, body: plan.body.map(closedStatement) });

function closedStatement(statement: Statement): Statement {
  const blocks = (inner: readonly Block[]): Block[] => inner.map((body) => body.map(closedStatement));
  const inside = (inner: Block): Block => inner.map(closedStatement);
  switch (statement.type) {
    case 'CALL':
    case 'AGAIN':
      return statement;
    case 'ALL':
    case 'SETTLED':
    case 'RACE':
      return { ...statement, branches: blocks(statement.branches) };
    case 'FILL':
      return { ...statement, into: 'OBJECT', branches: blocks(statement.branches) };
    case 'IF':
      return { ...statement, yes: inside(statement.yes), no: inside(statement.no) };
    case 'EACH':
      return { ...statement, body: inside(statement.body) };
    case 'TRY':
      return { ...statement, body: inside(statement.body), caught: inside(statement.caught) };
  }
}

/** A flow that is repaired needs another attempt. */
const repairable = (program: Program): Program => ({
  ...program,
  flows: program.flows.map((plan) =>
    plan.isRepaired ? { ...plan, retries: Math.max(1, plan.retries) } : plan,
  ) as unknown as Program['flows'],
});

export const anyProgram: fc.Arbitrary<Program> = all
  .map((program) => closed(repairable(program)))
  .filter((program) => {
    const calls = callsMax(program);
    return calls > 0 && calls <= CALLS_MAX;
  });
