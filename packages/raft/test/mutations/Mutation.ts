/** A known bug, as a change of the source that puts it back. */

import type { Overrides } from "../../testing/sim/Options.ts"

export interface Edit {
  /** Path inside `packages/raft`. */
  readonly file: string
  /** Text that stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export interface Mutation {
  readonly id: string
  /** What goes wrong, in one line. */
  readonly description: string
  /** Where the bug is known from: an audit, an issue of another system, a section of the paper or thesis. */
  readonly source: string
  readonly edits: ReadonlyArray<Edit>
  /** Overrides for aimed seeds, beside the general ones (`aims.ts`). */
  readonly aimed?: Overrides
}

/** A mutation of one place. */
export const one = (
  id: string,
  description: string,
  source: string,
  file: string,
  find: string,
  replace: string
): Mutation => ({ id, description, source, edits: [{ file, find, replace }] })
