/** Tuple spaces typed by Schema. */
export * as LocalTupleSpace from "./LocalTupleSpace.ts"
export * as StoreTupleSpace from "./StoreTupleSpace.ts"
export type { Interest, Leased, Notice } from "./TupleSpace.ts"
export * as TupleSpace from "./TupleSpace.ts"
export * as Worker from "./Worker.ts"
export * as Workers from "./Workers.ts"
