/** A known bug, as a change of the source that puts it back. */

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
  /** Text scenarios (of `test/scenarios` or `test/mutations/scenarios`) whose output must change: the place is reached. */
  readonly scenario?: string
  /** Overrides for aimed seeds (JSON of `Overrides`), beside the general ones. */
  readonly aimed?: object
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
