/**
 * What can become of a run, walked through whole in small worlds: everybody asks everything about it, in every order, and
 * time passes; the real docket, judge and fold answer. The claims are about all nodes that can be reached.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { isTerminal } from '../../protocol/states.ts';
import { rootOf } from '../../protocol/proposals.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import {
  actionsOf,
  lived,
  timePasses,
  walk,
  WORLDS,
  type Edge,
  type Graph,
  type Node,
  type World,
} from '../support/walks.ts';
import type { Desk } from '../support/worlds.ts';

/** Steps from the beginning; more of them: `STEPS=9 npx vitest run test/property/lifecycle.walk.test.ts`. */
const STEPS = Number(process.env['STEPS'] ?? 4);

const isEnd = ({ type }: Node): boolean => type !== 'NONE' && isTerminal({ type });
const isOpen = ({ type }: Node): boolean => type !== 'NONE' && !isTerminal({ type });

describe.each(WORLDS)('$name', (world) => {
  let graph: Graph;
  const actions = actionsOf(world);
  const told = ({ path, key }: Node): unknown => ({ path: path.map((index) => actions[index]?.name), key });
  const first = (wrong: (node: Node) => boolean): unknown => {
    const found = [...graph.nodes.values()].find(wrong);
    return found && told(found);
  };

  beforeAll(() => {
    graph = walk(world, STEPS);
  });

  test('nothing is wrong in any node', () => {
    expect(graph.nodes.size).toBeGreaterThan(10);
    const wrong = [...graph.nodes.values()].flatMap((node) => {
      const desk = lived(world, actions, node.path);
      const wrongs = wrongsOf(desk.workspace, desk.overridden());
      return wrongs.length === 0 ? [] : [[told(node), wrongs]];
    });
    expect(wrong.slice(0, 1)).toEqual([]);
  });

  test('what is being cancelled ends by time alone', () => {
    expect(
      first((node) => node.type === 'CANCELLING' && !endsInTime(lived(world, actions, node.path), world)),
    ).toBeUndefined();
  });

  test('whatever has not ended ends when it, or its flow run, is cancelled', () => {
    const stays = (node: Node): boolean => {
      const desk = lived(world, actions, node.path);
      for (const run of [desk.run(world.id), desk.run(rootOf(world.id))]) {
        if (run !== undefined)
          desk.ask('op', { kind: run.kind, run: run.id, to: { type: 'CANCELLING', name: 'Cancelling' } });
      }
      return !endsInTime(desk, world);
    };
    expect(first((node) => isOpen(node) && stays(node))).toBeUndefined();
  });

  test('an end is left by a reason, a claim, a call that is made again or an override, and never by itself', () => {
    const leaves = ({ from, to, action }: Edge): boolean =>
      isEnd(from) && !isEnd(to) && !from.isHeld && !['reason', 'claim', 'call', 'force'].includes(action.by);
    const found = graph.edges.find(leaves);
    expect(found && [told(found.from), found.action.name, found.to.key]).toBeUndefined();
  });

  test('one end becomes another only by a reason or an override', () => {
    const changes = ({ from, to, action }: Edge): boolean =>
      isEnd(from) && isEnd(to) && from.type !== to.type && !['reason', 'force'].includes(action.by);
    const found = graph.edges.find(changes);
    expect(found && [told(found.from), found.action.name, found.to.key]).toBeUndefined();
  });

  test('from every node that is no end, steps that nobody has to force lead to one', () => {
    const ways = new Map<string, Node[]>();
    for (const { from, to, action } of graph.edges) {
      if (action.by !== 'force') ways.set(to.key, [...(ways.get(to.key) ?? []), from]);
    }
    const leading = new Set<string>();
    for (let queue = [...graph.nodes.values()].filter(isEnd); queue.length > 0;) {
      for (const { key } of queue) leading.add(key);
      queue = queue.flatMap(({ key }) => ways.get(key) ?? []).filter(({ key }) => !leading.has(key));
    }
    // A node at the rim has not been gone on from.
    expect(first((node) => !leading.has(node.key) && node.path.length < STEPS)).toBeUndefined();
  });
});

/** The grace, and whatever rings after it. */
function endsInTime(desk: Desk, world: World): boolean {
  for (let rings = 0; rings < 20; rings += 1) {
    const run = desk.run(world.id);
    if (run === undefined || isTerminal(run.state)) return true;
    timePasses(desk);
  }
  return false;
}
