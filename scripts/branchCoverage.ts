/**
 * Branch coverage of TypeScript that node runs uncompiled, from V8's precise counters.
 *
 * V8 reports ranges with counts and merges those whose counts agree, so the number of its ranges depends on the run.
 * Branches are therefore enumerated from the syntax tree (both arms of if, ?: and loops entered or not, each operand of && || ??,
 * each case, each default parameter) and each is looked up in the counters: the innermost range that holds it tells how often it
 * ran, a missing else ran as often as the statement without its other arm. Type stripping keeps positions, so V8's
 * offsets are those of the source.
 */
import { readFileSync } from "node:fs"
import { Session } from "node:inspector/promises"
import { fileURLToPath } from "node:url"
import { parseSync } from "oxc-parser"

/** One way that control can take at a place in the source. */
export interface Branch {
  readonly file: string
  readonly line: number
  /** What kind of branch and which arm: `if:else`, `case`, `&&:right`. */
  readonly arm: string
  /** The source line, trimmed. */
  readonly text: string
  count: number
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

/** Where a branch's count is read: at an arm, or as the rest that the arms leave of the whole. */
interface Place {
  readonly at: number
  readonly arm: string
  readonly show: number
  /** When given, the branch took `count(at) - count(minus)` turns. */
  readonly minus?: number
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { readonly type?: unknown }).type === "string"

/** First position inside an arm that V8 counts with it: past the brace of a block. */
const inside = (node: Node): number => (node.type === "BlockStatement" ? node.start + 1 : node.start)

const placesOf = (node: Node): ReadonlyArray<Place> => {
  switch (node.type) {
    case "IfStatement": {
      const then = node["consequent"] as Node
      const otherwise = node["alternate"] as Node | null
      const whole = { at: inside(then), arm: "if:then", show: node.start }
      return otherwise === null
        ? [whole, { at: node.start, minus: inside(then), arm: "if:else (implicit)", show: node.start }]
        : [whole, { at: inside(otherwise), arm: "if:else", show: otherwise.start }]
    }
    case "ConditionalExpression":
      return [
        { at: (node["consequent"] as Node).start, arm: "?:then", show: (node["consequent"] as Node).start },
        { at: (node["alternate"] as Node).start, arm: "?:else", show: (node["alternate"] as Node).start }
      ]
    case "LogicalExpression":
      return [
        {
          at: (node["right"] as Node).start,
          arm: `${String(node["operator"])} right`,
          show: (node["right"] as Node).start
        }
      ]
    case "SwitchCase": {
      const first = (node["consequent"] as ReadonlyArray<Node>)[0]
      // A case without statements falls through to the next one, which is counted there.
      return first === undefined ? [] : [{ at: inside(first), arm: "case", show: node.start }]
    }
    case "WhileStatement":
    case "ForStatement":
    case "ForOfStatement":
      return [{ at: inside(node["body"] as Node), arm: "loop body", show: node.start }]
    case "AssignmentPattern":
      return [{ at: (node["right"] as Node).start, arm: "default value", show: node.start }]
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression": {
      const body = node["body"]
      return isNode(body) ? [{ at: inside(body), arm: "function", show: node.start }] : []
    }
    default:
      return []
  }
}

const collect = (node: Node, places: Array<Place>): void => {
  // Types leave no code behind.
  if (
    node.type.startsWith("TS") &&
    node.type !== "TSAsExpression" &&
    node.type !== "TSNonNullExpression" &&
    node.type !== "TSSatisfiesExpression"
  )
    return
  places.push(...placesOf(node))
  // The text of an invariant is made when it is broken: no run of correct code reaches it.
  if (node.type === "CallExpression" && (node["callee"] as Node)["name"] === "invariant") {
    for (const argument of (node["arguments"] as ReadonlyArray<Node>).slice(0, 2)) collect(argument, places)
    return
  }
  for (const key in node) {
    const child = node[key]
    if (Array.isArray(child)) {
      for (const item of child) if (isNode(item)) collect(item, places)
    } else if (isNode(child)) collect(child, places)
  }
}

/** Enumerates the branches of a file; counts are 0. */
const branchesOf = (
  file: string
): { readonly places: ReadonlyArray<Place>; readonly branches: ReadonlyArray<Branch> } => {
  const source = readFileSync(file, "utf8")
  const parsed = parseSync(file, source)
  if (parsed.errors.length > 0) throw new Error(`${file} does not parse: ${parsed.errors[0]?.message ?? "unknown"}`)
  const places: Array<Place> = []
  // The parser's types are exact unions; the walk needs only what all nodes have, which `Node` says.
  collect(parsed.program as unknown as Node, places)
  const starts = [0]
  for (let i = 0; i < source.length; i++) if (source.charCodeAt(i) === 10) starts.push(i + 1)
  const lines = source.split("\n")
  const branches = places.map((place): Branch => {
    let line = starts.findIndex((start) => start > place.show)
    if (line === -1) line = starts.length
    return { file, line, arm: place.arm, text: (lines[line - 1] ?? "").trim(), count: 0 }
  })
  return { places, branches }
}

/** The count of the smallest range that holds a position. */
const countAt = (ranges: ReadonlyArray<Range>, position: number): number => {
  let size = Number.POSITIVE_INFINITY
  let count = 0
  for (const range of ranges) {
    const span = range.endOffset - range.startOffset
    // Later ranges of one size are the inner ones: V8 lists functions and blocks from the outside in.
    if (range.startOffset <= position && position < range.endOffset && span <= size) {
      size = span
      count = range.count
    }
  }
  return count
}

/** Counts the branches of files under a folder while something runs. Slows that run by about a third. */
export class BranchCoverage {
  private readonly session = new Session()
  private readonly matches: (file: string) => boolean
  private readonly known = new Map<string, ReturnType<typeof branchesOf>>()

  constructor(matches: (file: string) => boolean) {
    this.matches = matches
  }

  /**
   * Enumerates the branches of `files` as they stand now, and begins to count. Must be called before they are imported: code that
   * ran earlier is not counted.
   */
  async start(files: ReadonlyArray<string>): Promise<void> {
    for (const file of files.filter(this.matches)) this.known.set(file, branchesOf(file))
    this.session.connect()
    await this.session.post("Profiler.enable")
    await this.session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  }

  /** Ends counting and gives every branch with its count, those of files that were never loaded too. */
  async stop(): Promise<ReadonlyArray<Branch>> {
    const { result } = await this.session.post("Profiler.takePreciseCoverage")
    await this.session.post("Profiler.stopPreciseCoverage")
    this.session.disconnect()
    const ranges = new Map<string, Array<Range>>()
    for (const script of result) {
      if (!script.url.startsWith("file:")) continue
      const file = fileURLToPath(script.url)
      if (this.matches(file))
        ranges.set(
          file,
          script.functions.flatMap((fn) => fn.ranges)
        )
    }
    return [...this.known].flatMap(([file, { branches, places }]) => {
      const own = ranges.get(file) ?? []
      places.forEach((place, i) => {
        const branch = branches[i] as Branch
        branch.count = countAt(own, place.at) - (place.minus === undefined ? 0 : countAt(own, place.minus))
      })
      return branches
    })
  }
}
