/** Something that happened to a fleet, or that whoever keeps it as it is wanted saw, did, or could not do. */
export interface FleetEvent {
  /** ISO 8601. */
  readonly at: string
  /**
   * `started`, `standby` (another one is at work), `stopped`; `silent`, `lost` (silent for longer than is waited), `back`;
   * `begun`, `done`, `failed`, `left-out` of an action; `unmet`, `met` of wishes; `busy` (somebody else changes nodes);
   * `trouble` of a round as a whole.
   *
   * Seen, whoever keeps it: `up`, `down`, `added`, `removed`, `drained`, `undrained` of a node; `opened` (it is spared for
   * a while, since it failed), `closed` of its breaker; `loaded`, `unloaded` of a model in its memory; `source` of where
   * all this is read.
   */
  readonly event:
    | 'started'
    | 'standby'
    | 'stopped'
    | 'silent'
    | 'lost'
    | 'back'
    | 'begun'
    | 'done'
    | 'failed'
    | 'left-out'
    | 'unmet'
    | 'met'
    | 'busy'
    | 'trouble'
    | 'up'
    | 'down'
    | 'added'
    | 'removed'
    | 'drained'
    | 'undrained'
    | 'opened'
    | 'closed'
    | 'loaded'
    | 'unloaded'
    | 'source'
  readonly node?: string
  /** In words. */
  readonly text: string
}
