/** Everything has a limit with a name and a unit; each is checked where the thing enters. */
export const LIMITS = {
  /** Entries of one segment (architecture 3). */
  segmentEntriesMax: 256,
  /** Bytes of one segment's lines before packing. */
  segmentBytesMax: 512 * 1024,
  /** Segments that may be in flight at once. */
  segmentsInFlightMax: 4,
  /** Segments above this many bytes of lines are packed, where the platform has zstd. */
  packAboveBytes: 4096,
  /** Proposals of one batch. */
  batchProposalsMax: 256,
  /** Bytes of one batch; nats-server's own default for a message is 1 MiB. */
  batchBytesMax: 768 * 1024,
  /** Bytes of one proposal; its ruling, with the facts and the state after a rewrite, must fit into a segment. */
  proposalBytesMax: 128 * 1024,
  /** Bytes of a value that may stand inline in an entry; larger ones go to the object store. */
  inlineBytesMax: 16 * 1024,
  /** Bytes of any value. */
  valueBytesMax: 32 * 1024 * 1024,
  /** Bytes of a failed call's inputs that are recorded with its failure; of larger ones the beginning is. */
  failureInputsBytesMax: 256 * 1024,
  /** Characters of a state's message, a reason, a description. */
  textMax: 1000,
  /** Characters of a name: of a flow, task, limit, state. */
  nameMax: 200,
  /** Characters of a run's id: 16, and one call's identity for each level of nesting. */
  runIdMax: 2000,
  /** Characters of a cache key (Prefect 3 has the same limit). */
  cacheKeyMax: 2000,
  /** Variables of a workspace; an arbiter has them all in memory. */
  variablesMax: 10_000,
  /** Characters of a variable's name. */
  variableNameMax: 255,
  /** Characters of an artifact's key. */
  artifactKeyMax: 200,
  /** Messages in one mailbox that nobody has received. */
  mailboxMessagesMax: 1000,
  /** Mailboxes with such messages of one flow run of its own and of all under it, with its calls that wait for an event. */
  mailboxesMax: 10_000,
  /** Milliseconds that the mailboxes of a crashed flow run are kept for whoever goes on with it: 30 days. */
  mailKeptMs: 30 * 86_400_000,
  /** Mailboxes that a suspended run goes on for. */
  wakeOnMax: 256,
  /** Calls of one flow run that are at work in its process at once, unless it says otherwise. */
  callsAtOnce: 1000,
  /** Milliseconds that one hook may take; what takes longer has failed, and is not waited for. */
  hookMsMax: 60_000,
  /** Paths that one flow or task may have redacted. */
  redactedPathsMax: 100,
  /** Tags of one run. */
  tagsOfRunMax: 64,
  /** Slots that a rate limit gives back in a second. */
  slotsPerSecondMax: 1_000_000,
  /** Named limits that one run may ask for. */
  limitsOfRunMax: 16,
  /** Milliseconds of any duration: a hundred years. */
  durationMsMax: 100 * 365.25 * 86_400_000,
  /** Retries of one run. */
  retriesMax: 10_000,
  /** Delays listed by one retry policy; the last one goes on. */
  retryDelaysMax: 1000,
  /** Bytes of a file of declared rules. */
  declaredFileBytesMax: 256 * 1024,
  /** Rules of one such file. */
  declaredRulesMax: 100,
  /** Characters of one rule's condition. */
  conditionMax: 2000,
  /** Unfinished runs of one flow with the same parameters that one script finds again; of more, the newest. */
  runsOfIdentityMax: 256,
  /** Proposals of one session that may be on their way, neither answered nor held; the others wait in the client. */
  sessionInFlightMax: 4096,
  /** Proposals that one arbiter keeps waiting to be judged before it stops reading. */
  arbiterQueueMax: 20_000,
} as const;
