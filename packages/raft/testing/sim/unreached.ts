/** Branches of the protocol core that the simulation is not expected to reach, each with why, and what reaches it instead. */
export interface Unreached {
  readonly file: string
  /** Part of the source line. */
  readonly text: string
  readonly arm?: string
  readonly reason: string
}

export const unreachedReasons: ReadonlyArray<Unreached> = []
