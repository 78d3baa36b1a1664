export type { Scope } from './election/scope.ts';
export type {
  CampaignOptions,
  Election,
  ElectionOptions,
  Master,
  MasterChange,
  Mastership,
  ResignOptions,
  RunWhileMasterOptions,
  TransferOptions,
} from './election/types.ts';
export type { Fence } from './fence/fence.ts';
export { type MemoryFence, memoryFence } from './fence/memory-fence.ts';
export { type SqlFenceOptions, type SqlQuery, sqlFence, sqlFenceTable } from './fence/sql-fence.ts';
export { type FormationRules, type FormationState, formationRules } from './group/formation.rules.ts';
export { groupMachine, type RoleMachines } from './group/group.machine.ts';
export {
  GROUP_ELECTION,
  type Group,
  type GroupEvents,
  type GroupStatus,
  type LeaseDeadline,
  type LiveSettings,
  type NodeState,
  type RecordChange,
} from './group/group.ts';
export { realMachines as roleMachines } from './group/roles.ts';
export { type VoteRules, voteRules } from './group/vote.rules.ts';
export { joinOver } from './join.ts';
export { type JsonView, jsonView } from './json-view.ts';
export {
  DEFAULT_LEASE_MS,
  GUARD_DIVISOR,
  type Interpreter,
  type LoggerLike,
  type Membership,
  type NodeOptions,
  type NodePorts,
  nameProblems,
  settingProblems,
} from './options.ts';
export { rehearse } from './rehearsal/rehearsal.ts';
export type { Shard, Shards, ShardsOptions } from './shards/types.ts';
