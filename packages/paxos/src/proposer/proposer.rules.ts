import {
  type Accept,
  type Accepted,
  type AwaitingLearner,
  type Ballot,
  between,
  type Clock,
  type Command,
  type CommandId,
  commandBytes,
  compareBallots,
  decodeBatch,
  encodeBatch,
  type Incarnation,
  invariant,
  isSameBallot,
  MAX_BATCH_BYTES,
  MAX_COMMAND_BYTES,
  MAX_ROUND,
  NO_BALLOT,
  NO_OP,
  type NodeId,
  type Prepare,
  type Promised,
  type QuorumSystem,
  type Random,
  type Received,
  type Reject,
  type Trimmed,
  type Value,
} from '@synod/protocol';

/**
 * Why a node wants to lead (B1): `command` (a), `master` (b), `stuck` (c). `ahead`: it will have a command in a moment (a), and
 * none waits yet: whoever else is at it has his way.
 */
export type LeadReason = 'command' | 'ahead' | 'master' | 'stuck';

/** What the proposer machine is given. */
export interface ProposerInput {
  readonly self: NodeId;
  readonly incarnation: Incarnation;
  /** The length in force (T12), ms. */
  leaseMs(): number;
  readonly clock: Clock;
  readonly random: Random;
  readonly quorum: QuorumSystem;
  /** Highest round seen or used, from the journal. */
  readonly lastRound: number;
  /** How far the log is here. An idle proposer is not told: it asks when it has to know. */
  learned(): LearnedSoFar;
  /** Whether this node holds `group` at this instant (B6). */
  isMaster(): boolean;
}

/** Slots up to `through` are applied here; `known` is the highest known chosen. */
export interface LearnedSoFar {
  readonly through: number;
  readonly known: number;
}

export type ProposerEvent =
  /** `isUrgent`: commands of the machine `master` (B7). */
  | {
      readonly type: 'submit';
      readonly commands: readonly Command[];
      readonly isUrgent: boolean;
      /** A voter that waits for what they come to (N4). */
      readonly learner?: AwaitingLearner;
    }
  | { readonly type: 'withdraw'; readonly ids: readonly CommandId[] }
  /** `slot`: seen to be proposed, unlearned, and maybe held by nobody (B1c). */
  | { readonly type: 'lead'; readonly reason: LeadReason; readonly slot?: number }
  | Received<Promised>
  | Received<Accepted>
  | Received<Reject>
  | Received<Trimmed>
  /** Our own acceptor granted a promise to another node (B6). */
  | { readonly type: 'granted'; readonly ballot: Ballot }
  /** Needed only while it is not idle. */
  | ({ readonly type: 'learned' } & LearnedSoFar)
  /** A ballot of this round was seen. */
  | { readonly type: 'round'; readonly round: number }
  /** What was said while there was no connection is lost. */
  | { readonly type: 'reconnected' }
  | { readonly type: 'stop' };

export type ProposerEmitted =
  /** `to` holds this node too where it votes: the runtime delivers that one here. */
  | { readonly type: 'send'; readonly to: readonly NodeId[]; readonly message: Prepare | Accept }
  | {
      readonly type: 'chosen';
      readonly ballot: Ballot;
      readonly slot: number;
      readonly value: Value;
      /** It was named as the one that waits (N4), and knows already, or will in a moment. */
      readonly learner?: AwaitingLearner;
    }
  | { readonly type: 'leading'; readonly ballot: Ballot }
  /** Does not lead, or not any more. `unknown` were sent and may yet be chosen; `queued` never left. */
  | {
      readonly type: 'deposed';
      readonly by: Ballot | null;
      readonly unknown: readonly Command[];
      readonly queued: readonly Command[];
    }
  /** Slots up to here are chosen: the learner fetches them, first from this node. */
  | { readonly type: 'behind'; readonly through: number; readonly from: NodeId };

/** What a proposer knows. One object, owned by its machine and changed by its rules alone. */
export interface ProposerState {
  /** Highest round seen or used here (B2). */
  round: number;
  /** Of the present attempt or leadership; NO_BALLOT before the first. Never used for a second attempt (B2). */
  ballot: Ballot;
  /** All slots up to here are applied here. */
  learnedThrough: number;
  /** Highest slot known chosen. */
  known: number;
  /** Highest slot that stayed unlearned after it was seen to be proposed: leading fills it, whoever holds it (B2). */
  seen: number;

  /** First slot the present Prepare asks for. */
  fromSlot: number;
  /** Pages that came, by voter. */
  readonly pages: Map<NodeId, VoterPages>;
  /** Voters whose pages leave no hole: a set, never a number of answers (P4). */
  readonly promised: Set<NodeId>;
  preparedAtMs: number;

  isLeading: boolean;
  /** What earlier ballots proposed, and waits to be proposed again (B2). */
  readonly backlog: Map<number, Proposal>;
  /** Next slot to take from the backlog, up to `backlogEnd`: a no-op where nothing was seen. */
  backlogNext: number;
  backlogEnd: number;
  /** Where the next batch goes. */
  nextSlot: number;
  /** Slots are proposed in order, each once: no (ballot, slot) ever gets two values. */
  lastProposed: number;
  /** Proposed, and not known here to be chosen. */
  readonly open: Map<number, OpenSlot>;
  /** When the timer of `waiting` ends. */
  wakesAtMs: number;
  /** No slot that opened since it was set is due for a resend before this. */
  firstDueAtMs: number;
  /** Commands of `master` (B7). */
  urgent: Command[];
  queue: Command[];
  queuedBytes: number;
  /** Who waits for the next batch (N4). Only a hint: it learns all the same when the proposer tells. */
  learner: AwaitingLearner | null;
  /** Ids of all commands queued, open, or in the backlog. */
  readonly ids: Set<CommandId>;

  /** Measured from a message to the answer that completed its quorum; 0 before the first. */
  roundTripMs: number;
  /** Until the next resend of a Prepare. */
  resendMs: number;
  /** Why we want to lead, while that is pending. */
  wish: LeadReason | null;
  /** What `learnedThrough` was when the wish arose. */
  wishedAt: number;
  /** B6: no candidacy before this instant, except for the master. */
  notBeforeMs: number;
  /** B6: duels lost since it led: the upper end of its next wait doubles with each. */
  losses: number;
}

/** What a slot is proposed to hold. */
export interface Proposal {
  readonly slot: number;
  readonly value: Value;
  readonly commands: readonly Command[];
  /** False for what an earlier ballot proposed. */
  readonly isOurs: boolean;
  /** N4. */
  readonly learner?: AwaitingLearner;
}

/** A proposal under way. */
export interface OpenSlot extends Proposal {
  readonly voters: Set<NodeId>;
  readonly sentAtMs: number;
  dueAtMs: number;
  intervalMs: number;
}

/** The pages of one voter's promise (P4). */
export interface VoterPages {
  readonly spans: { readonly from: number; readonly to: number }[];
  readonly entries: Map<number, { readonly ballot: Ballot; readonly value: Value }>;
  lastSlot: number;
  trimmedThrough: number;
  chosenThrough: number;
}

/** B3: slot i is proposed only when every slot up to i − 32 is applied here: a distance, not a count. */
export const WINDOW = 32;

/** B3: a batch waits for company only while this many slots are open. */
const BUSY_SLOTS = 2;

/** A batch's frame, bytes, no less. */
const FRAME_BYTES = 64;

export const initialProposer = (input: ProposerInput): ProposerState => ({
  round: input.lastRound,
  ballot: NO_BALLOT,
  learnedThrough: input.learned().through,
  known: input.learned().known,
  seen: 0,
  fromSlot: 0,
  pages: new Map(),
  promised: new Set(),
  preparedAtMs: 0,
  isLeading: false,
  backlog: new Map(),
  backlogNext: 1,
  backlogEnd: 0,
  nextSlot: 0,
  lastProposed: 0,
  open: new Map(),
  wakesAtMs: 0,
  firstDueAtMs: 0,
  urgent: [],
  queue: [],
  queuedBytes: 0,
  learner: null,
  ids: new Set(),
  roundTripMs: 0,
  resendMs: 0,
  wish: null,
  wishedAt: 0,
  notBeforeMs: Number.NEGATIVE_INFINITY,
  losses: 0,
});

type Out = ProposerEmitted[];

/** The rules of the proposer. Each changes `state` and adds to `out`. */
export interface ProposerRules {
  noteRound(state: ProposerState, round: number): void;
  noteLearned(state: ProposerState, through: number, known: number): void;
  /** B2: a new ballot, and Prepare to every voter. */
  prepare(state: ProposerState, input: ProposerInput, out: Out): void;
  resendPrepare(state: ProposerState, input: ProposerInput, out: Out): void;
  notePromise(state: ProposerState, input: ProposerInput, message: Received<Promised>): void;
  hasPrepareQuorum(state: ProposerState, input: ProposerInput): boolean;
  /** Highest trimmedThrough of any counted promise: slots up to it are fetched, never proposed (B2). */
  base(state: ProposerState): number;
  takeOver(state: ProposerState): void;
  /** While leading: no-ops up to a slot that somebody else proposed and nobody holds (B1c, B2). */
  fill(state: ProposerState, through: number): void;
  submit(state: ProposerState, commands: readonly Command[], isUrgent: boolean, learner?: AwaitingLearner): void;
  withdraw(state: ProposerState, ids: readonly CommandId[]): void;
  propose(state: ProposerState, input: ProposerInput, out: Out): void;
  noteAccepted(state: ProposerState, input: ProposerInput, message: Received<Accepted>, out: Out): void;
  noteTrimmed(state: ProposerState, message: Received<Trimmed>, out: Out): void;
  resend(state: ProposerState, input: ProposerInput, out: Out): void;
  hurry(state: ProposerState, input: ProposerInput): void;
  isOutbid(state: ProposerState, message: Reject | { type: 'granted'; ballot: Ballot }): boolean;
  backOff(state: ProposerState, input: ProposerInput): void;
  postpone(state: ProposerState, input: ProposerInput): void;
  stepDown(state: ProposerState, by: Ballot | null, out: Out): void;
}

export const proposerRules: ProposerRules = {
  noteRound,
  noteLearned,
  prepare,
  resendPrepare,
  notePromise,
  hasPrepareQuorum,
  base,
  takeOver,
  fill,
  submit,
  withdraw,
  propose,
  noteAccepted,
  noteTrimmed,
  resend,
  hurry,
  isOutbid,
  backOff,
  postpone,
  stepDown,
};

function noteRound(state: ProposerState, round: number): void {
  if (round > state.round && round < MAX_ROUND) state.round = round;
}

function noteLearned(state: ProposerState, through: number, known: number): void {
  state.learnedThrough = Math.max(state.learnedThrough, through);
  state.known = Math.max(state.known, through, known);
  if (!state.isLeading) return;
  // What an earlier ballot proposed, and is learned meanwhile, needs no answers any more. A batch of ours stays open: its
  // commands are safe only when we counted a quorum, or a Reject says that they are not.
  for (const open of state.open.values()) if (open.slot <= through && !open.isOurs) close(state, open);
  skipBacklog(state, through);
  state.nextSlot = Math.max(state.nextSlot, state.known + 1);
}

/** B2: the ballot is always a new one, so that nothing proposed before shares it. */
function prepare(state: ProposerState, input: ProposerInput, out: Out): void {
  invariant(state.round < MAX_ROUND, 'B2 rounds do not run out');
  state.round += 1;
  state.ballot = { round: state.round, nodeId: input.self, incarnation: input.incarnation };
  state.fromSlot = state.learnedThrough + 1;
  state.pages.clear();
  state.promised.clear();
  state.preparedAtMs = input.clock.now();
  state.resendMs = firstResendMs(state, input);
  sendPrepare(state, [...input.quorum.voters], out);
}

/** B5: only to the silent voters. */
function resendPrepare(state: ProposerState, input: ProposerInput, out: Out): void {
  state.resendMs = grown(state.resendMs, input);
  sendPrepare(state, silent(input, state.promised), out);
}

/** P4, B4. The voter counts when its pages cover all it has; what it trimmed between two pages needs no page. */
function notePromise(state: ProposerState, input: ProposerInput, message: Received<Promised>): void {
  const { ballot, from, fromSlot, to, lastSlot, trimmedThrough, chosenThrough } = message;
  if (!isSameBallot(ballot, state.ballot) || !input.quorum.voters.has(from)) return;
  let pages = state.pages.get(from);
  if (!pages) {
    pages = { spans: [], entries: new Map(), lastSlot: 0, trimmedThrough: 0, chosenThrough: 0 };
    state.pages.set(from, pages);
  }
  pages.spans.push({ from: fromSlot, to });
  pages.lastSlot = Math.max(pages.lastSlot, lastSlot);
  pages.trimmedThrough = Math.max(pages.trimmedThrough, trimmedThrough);
  pages.chosenThrough = Math.max(pages.chosenThrough, chosenThrough);
  for (const { slot, ballot, value } of message.entries) {
    const before = pages.entries.get(slot);
    if (!before || compareBallots(before.ballot, ballot) < 0) pages.entries.set(slot, { ballot, value });
  }
  if (!isCovered(pages, state.fromSlot)) return;
  const sampleMs = input.clock.now() - state.preparedAtMs;
  if (!state.promised.has(from) && state.roundTripMs === 0) state.roundTripMs = sampleMs;
  state.promised.add(from);
}

/** P4: no hole from `fromSlot` to the voter's last slot, slots up to its largest trimmedThrough aside. */
function isCovered({ spans, lastSlot, trimmedThrough }: VoterPages, fromSlot: number): boolean {
  let reach = Math.max(fromSlot - 1, trimmedThrough);
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    if (from > reach + 1) break;
    reach = Math.max(reach, to);
  }
  return reach >= lastSlot;
}

function hasPrepareQuorum(state: ProposerState, input: ProposerInput): boolean {
  return input.quorum.isPrepareQuorum(state.promised);
}

function base(state: ProposerState): number {
  let base = 0;
  for (const [voter, pages] of state.pages) if (state.promised.has(voter)) base = Math.max(base, pages.trimmedThrough);
  return base;
}

/**
 * B2: in every slot from the first one unlearned to the highest seen, the value accepted at the highest ballot, or a no-op.
 * Called when all slots up to `base` are learned here.
 */
function takeOver(state: ProposerState): void {
  const best = new Map<number, { ballot: Ballot; value: Value }>();
  let highest = Math.max(base(state), state.learnedThrough, state.seen);
  let known = Math.max(highest, state.known);
  for (const [voter, pages] of state.pages) {
    if (!state.promised.has(voter)) continue;
    known = Math.max(known, pages.chosenThrough);
    for (const [slot, entry] of pages.entries) {
      const before = best.get(slot);
      if (!before || compareBallots(before.ballot, entry.ballot) < 0) best.set(slot, entry);
      highest = Math.max(highest, slot);
    }
  }
  const start = Math.max(base(state), state.learnedThrough) + 1;
  invariant(state.learnedThrough >= base(state), 'B2 slots up to base are fetched, never proposed');
  state.backlog.clear();
  state.backlogNext = start;
  state.backlogEnd = highest;
  for (const [slot, { value }] of best) {
    if (slot < start) continue;
    const commands = decodeBatch(value).filter((command) => command !== null);
    for (const command of commands) state.ids.add(command.id);
    state.backlog.set(slot, { slot, value, commands, isOurs: false });
  }
  state.nextSlot = Math.max(highest, known) + 1;
  state.lastProposed = 0;
  state.isLeading = true;
  state.wish = null;
  state.losses = 0;
  state.pages.clear();
}

/**
 * B2, "to the highest slot seen": an earlier leader proposed there, and no voter of our quorum holds it. Unless it is filled
 * nobody learns it, and whoever saw it waits for ever, although nothing is known to be chosen.
 */
function fill(state: ProposerState, through: number): void {
  if (state.backlogNext <= state.backlogEnd || through < state.nextSlot) return;
  state.backlogNext = state.nextSlot;
  state.backlogEnd = through;
  state.nextSlot = through + 1;
}

/** A command that is queued or open already is not proposed twice. One too large for a batch is its proposer's mistake. */
function submit(
  state: ProposerState,
  commands: readonly Command[],
  isUrgent: boolean,
  learner?: AwaitingLearner,
): void {
  if (learner !== undefined) state.learner = learner;
  for (const command of commands) {
    if (state.ids.has(command.id) || commandBytes(command) > MAX_COMMAND_BYTES) continue;
    state.ids.add(command.id);
    (isUrgent ? state.urgent : state.queue).push(command);
    state.queuedBytes += commandBytes(command);
  }
}

/** What was sent may still be chosen; what is queued will not be sent. */
function withdraw(state: ProposerState, ids: readonly CommandId[]): void {
  const gone = new Set(ids);
  const stays = (command: Command): boolean => {
    if (!gone.has(command.id)) return true;
    state.ids.delete(command.id);
    state.queuedBytes -= commandBytes(command);
    return false;
  };
  state.urgent = state.urgent.filter(stays);
  state.queue = state.queue.filter(stays);
}

/** B3, B7: what earlier ballots proposed, then new batches, as far as the window reaches. */
function propose(state: ProposerState, input: ProposerInput, out: Out): void {
  const last = state.learnedThrough + WINDOW;
  while (state.backlogNext <= Math.min(last, state.backlogEnd)) open(state, input, takeBacklog(state), out);
  // Whatever of it waits for the window still, a new batch waits too: its slot lies beyond.
  while (state.nextSlot <= last && state.urgent.length + state.queue.length > 0) {
    if (state.open.size >= BUSY_SLOTS && state.queuedBytes + FRAME_BYTES < MAX_BATCH_BYTES) return;
    const commands = takeBatch(state);
    const { learner } = state;
    state.learner = null;
    const proposal = { slot: state.nextSlot++, value: encodeBatch(commands), commands, isOurs: true };
    open(state, input, learner === null ? proposal : { ...proposal, learner }, out);
  }
}

/** B3: with an accept quorum, counted in a set, the slot is chosen. B4: at exactly our ballot. */
function noteAccepted(state: ProposerState, input: ProposerInput, message: Received<Accepted>, out: Out): void {
  const { ballot, slot, from } = message;
  const open = state.open.get(slot);
  if (!open || !isSameBallot(ballot, state.ballot) || !input.quorum.voters.has(from)) return;
  open.voters.add(from);
  if (!input.quorum.isAcceptQuorum(open.voters)) return;
  noteRoundTrip(state, input.clock.now() - open.sentAtMs);
  close(state, open);
  const chosen = { type: 'chosen', ballot: state.ballot, slot, value: open.value } as const;
  out.push(open.learner === undefined ? chosen : { ...chosen, learner: open.learner });
  propose(state, input, out);
}

/** P2: slots up to there are chosen. A batch of ours that stood there was chosen, or lost to another: it is proposed again. */
function noteTrimmed(state: ProposerState, message: Received<Trimmed>, out: Out): void {
  const { ballot, trimmedThrough, from } = message;
  if (!isSameBallot(ballot, state.ballot)) return;
  for (const open of state.open.values()) {
    if (open.slot > trimmedThrough) continue;
    close(state, open);
    if (!open.isOurs) continue;
    submit(state, open.commands.filter(isUrgent), true);
    submit(
      state,
      open.commands.filter((command) => !isUrgent(command)),
      false,
    );
  }
  skipBacklog(state, trimmedThrough);
  state.known = Math.max(state.known, trimmedThrough);
  state.nextSlot = Math.max(state.nextSlot, trimmedThrough + 1);
  if (trimmedThrough > state.learnedThrough) out.push({ type: 'behind', through: trimmedThrough, from });
}

/** B5: what is due, to the voters that are silent, at growing intervals. */
function resend(state: ProposerState, input: ProposerInput, out: Out): void {
  const nowMs = input.clock.now();
  for (const open of state.open.values()) {
    // Timers fire up to 1 ms early.
    if (open.dueAtMs > nowMs + 1) continue;
    open.intervalMs = grown(open.intervalMs, input);
    open.dueAtMs = nowMs + open.intervalMs;
    out.push({ type: 'send', to: silent(input, open.voters), message: acceptOf(state, open) });
  }
}

/** B5: intervals that grew while nothing was heard tell of the connection that broke, and begin anew. */
function hurry(state: ProposerState, input: ProposerInput): void {
  state.resendMs = firstResendMs(state, input);
  for (const open of state.open.values()) {
    open.dueAtMs = input.clock.now();
    open.intervalMs = firstResendMs(state, input) / 2;
  }
}

/** B4, B5: a higher ballot than ours was promised: by a voter that says so, or by our own acceptor. */
function isOutbid(state: ProposerState, message: Reject | { type: 'granted'; ballot: Ballot }): boolean {
  if (message.type === 'granted') return compareBallots(message.ballot, state.ballot) > 0;
  return isSameBallot(message.ballot, state.ballot) && compareBallots(message.promised, state.ballot) > 0;
}

/** B6: a loser waits random × lease/10, doubling to lease/2. */
function backOff(state: ProposerState, input: ProposerInput): void {
  const mostMs = Math.min((input.leaseMs() / 10) * 2 ** state.losses++, input.leaseMs() / 2);
  const waitMs = between(input.random, 0, mostMs);
  state.notBeforeMs = Math.max(state.notBeforeMs, input.clock.now() + waitMs);
}

/** B6: a node that has just granted a promise to another gives it time. */
function postpone(state: ProposerState, input: ProposerInput): void {
  const waitMs = between(input.random, input.leaseMs() / 10, input.leaseMs() / 5);
  state.notBeforeMs = Math.max(state.notBeforeMs, input.clock.now() + waitMs);
}

/** B5: what was sent has an unknown outcome, the rest goes back to who asked. */
function stepDown(state: ProposerState, by: Ballot | null, out: Out): void {
  const unknown = [...state.open.values()].flatMap((open) => open.commands);
  const queued = [...state.urgent, ...state.queue];
  if (state.isLeading || queued.length > 0) out.push({ type: 'deposed', by, unknown, queued });
  state.isLeading = false;
  state.backlog.clear();
  state.backlogEnd = 0;
  state.open.clear();
  state.urgent = [];
  state.queue = [];
  state.queuedBytes = 0;
  state.learner = null;
  state.ids.clear();
  state.pages.clear();
  state.promised.clear();
}

/** B2: all that has to be fetched before we may lead is here. */
export const isCaughtUp = (state: ProposerState, base: number): boolean => state.learnedThrough >= base;

/** What the promises say is chosen and not learned here, and who says so. */
export function chosenElsewhere(state: ProposerState): { through: number; from: NodeId } | null {
  let through = state.learnedThrough;
  let from: NodeId | null = null;
  for (const [voter, pages] of state.pages) {
    const told = Math.max(pages.trimmedThrough, pages.chosenThrough);
    if (told <= through) continue;
    through = told;
    from = voter;
  }
  return from === null ? null : { through, from };
}

/**
 * While we lead: the first unlearned slot lies below where we propose, and nobody will propose in it. That happens when
 * slots beyond it were chosen by another ballot. Only preparing again fills it.
 */
export const hasHole = (state: ProposerState): boolean => {
  const slot = state.learnedThrough + 1;
  return slot < state.nextSlot && !state.open.has(slot) && (slot < state.backlogNext || slot > state.backlogEnd);
};

/** Why we want to lead, until we lead or something else settles it. */
export function noteWish(state: ProposerState, wish: LeadReason | null, slot = 0): void {
  state.wish = wish;
  state.seen = Math.max(state.seen, slot);
  state.wishedAt = state.learnedThrough;
}

/** The timer is set, to the earliest resend. */
export function planResend(state: ProposerState, nowMs: number): void {
  let dueAtMs = Number.POSITIVE_INFINITY;
  for (const open of state.open.values()) dueAtMs = Math.min(dueAtMs, open.dueAtMs);
  state.wakesAtMs = Math.max(nowMs + 1, dueAtMs);
  state.firstDueAtMs = state.wakesAtMs;
}

/** A slot opened that is to be resent before the timer ends: that was set for others, long under way or closed by now. */
export const isDueSooner = (state: ProposerState): boolean =>
  state.open.size > 0 && state.firstDueAtMs < state.wakesAtMs;

function open(state: ProposerState, input: ProposerInput, proposal: Proposal, out: Out): void {
  invariant(proposal.slot > state.lastProposed, 'B2 no (ballot, slot) is ever proposed with two values');
  invariant(proposal.slot <= state.learnedThrough + WINDOW, 'B3 the window is a distance');
  state.lastProposed = proposal.slot;
  const sentAtMs = input.clock.now();
  const intervalMs = firstResendMs(state, input);
  const first = firstAsked(input, proposal);
  const isThrifty = first.length < input.quorum.voters.size;
  const dueAtMs = sentAtMs + (isThrifty ? secondAskMs(state, input) : intervalMs);
  const slot: OpenSlot = { ...proposal, voters: new Set(), sentAtMs, dueAtMs, intervalMs };
  state.open.set(proposal.slot, slot);
  state.firstDueAtMs = Math.min(state.firstDueAtMs, dueAtMs);
  out.push({ type: 'send', to: first, message: acceptOf(state, slot) });
}

/**
 * N4: whom to ask at once. Where proposer and learner are a quorum, the others' part of the work would only stand in its way:
 * they are asked a moment later, as silent voters are (B5), or fetch what was chosen without them.
 */
function firstAsked({ self, quorum }: ProposerInput, { learner }: Proposal): NodeId[] {
  const voters = [...quorum.voters];
  if (learner === undefined) return voters;
  const two = voters.filter((voter) => voter === self || voter === learner.node);
  return quorum.isAcceptQuorum(new Set(two)) ? two : voters;
}

function close(state: ProposerState, open: OpenSlot): void {
  state.open.delete(open.slot);
  drop(state, open);
}

function drop(state: ProposerState, proposal: Proposal): void {
  for (const command of proposal.commands) state.ids.delete(command.id);
}

function takeBacklog(state: ProposerState): Proposal {
  const slot = state.backlogNext++;
  const proposal = state.backlog.get(slot);
  state.backlog.delete(slot);
  return proposal ?? { slot, value: NO_OP, commands: [], isOurs: false };
}

/** Slots up to `through` are chosen: nothing is proposed there. */
function skipBacklog(state: ProposerState, through: number): void {
  if (through < state.backlogNext) return;
  state.backlogNext = through + 1;
  for (const proposal of state.backlog.values()) {
    if (proposal.slot > through) continue;
    state.backlog.delete(proposal.slot);
    drop(state, proposal);
  }
}

/** B7: urgent commands first; as many as a batch holds, at least one. */
function takeBatch(state: ProposerState): Command[] {
  const batch: Command[] = [];
  let bytes = FRAME_BYTES;
  for (const commands of [state.urgent, state.queue]) {
    let taken = 0;
    for (const command of commands) {
      bytes += commandBytes(command);
      if (bytes > MAX_BATCH_BYTES && batch.length > 0) break;
      batch.push(command);
      state.queuedBytes -= commandBytes(command);
      taken++;
    }
    if (taken < commands.length) {
      commands.splice(0, taken);
      return batch;
    }
    commands.length = 0;
  }
  return batch;
}

/** B7. */
const isUrgent = (command: Command): boolean => command.machine === 'master';

const acceptOf = ({ ballot }: ProposerState, { slot, value, learner }: Proposal): Accept => {
  const accept = { type: 'accept', ballot, slot, value } as const;
  return learner === undefined ? accept : { ...accept, learner };
};

function sendPrepare(state: ProposerState, to: NodeId[], out: Out): void {
  out.push({ type: 'send', to, message: { type: 'prepare', ballot: state.ballot, fromSlot: state.fromSlot } });
}

const silent = (input: ProposerInput, answered: ReadonlySet<NodeId>): NodeId[] =>
  [...input.quorum.voters].filter((voter) => !answered.has(voter));

/** Measured over resends too: a link that became slow must be noticed, and too long a wait is bounded below. */
function noteRoundTrip(state: ProposerState, sampleMs: number): void {
  state.roundTripMs = state.roundTripMs === 0 ? sampleMs : 0.8 * state.roundTripMs + 0.2 * sampleMs;
}

/** B5: derived from the lease, a few round trips at least; jitter keeps nodes apart. */
const firstResendMs = (state: ProposerState, { leaseMs, random }: ProposerInput): number =>
  Math.min(Math.max(4 * state.roundTripMs, leaseMs() / 50), leaseMs() / 4) * between(random, 1, 1.25);

/** N4: a quorum that answers at all has done so by then; asked before, the others would only stand in its way. */
const secondAskMs = (state: ProposerState, { leaseMs }: ProposerInput): number =>
  Math.min(Math.max(3 * state.roundTripMs, leaseMs() / 500), leaseMs() / 50);

const grown = (intervalMs: number, { leaseMs, random }: ProposerInput): number =>
  Math.min(2 * intervalMs, leaseMs() / 4) * between(random, 1, 1.25);
