/** Tuple spaces typed by Schema. */
export * as LocalTupleSpace from "./LocalTupleSpace.ts"
export * as TupleSpace from "./TupleSpace.ts"
