/** Something that keeps a fleet as it is wanted saw, did, or could not do. */
export interface FleetEvent {
  /** ISO 8601. */
  readonly at: string
  /**
   * `started`, `standby` (another one is at work), `stopped`; `silent`, `lost` (silent for longer than is waited), `back`;
   * `begun`, `done`, `failed`, `left-out` of an action; `unmet`, `met` of wishes; `busy` (somebody else changes nodes);
   * `trouble` of a round as a whole.
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
  readonly node?: string
  /** In words. */
  readonly text: string
}
