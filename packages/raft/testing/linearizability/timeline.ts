/**
 * A counterexample as one HTML file without scripts or links: a row per client, a bar per operation from call to
 * return (open ones run off to the right), the order that was found as numbers, the rest in red. Pure.
 */
import { type Operation, unknown } from "./History.ts"
import type { Model } from "./Model.ts"
import type { Counterexample } from "./counterexample.ts"

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

/** Weak operations drawn beside the proof; more would only hide it. */
const powerlessShownMax = 30

const style = `
:root { color-scheme: light dark; --line: #8884; --placed: #2f7d4f; --stuck: #b3261e; --weak: #7776; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
svg { display: block; min-width: 40rem; width: 100%; }
figure { margin: 1rem 0; overflow-x: auto; }
text { fill: currentColor; font: 12px ui-monospace, monospace; }
.lane { stroke: var(--line); }
.placed { fill: var(--placed); } .stuck { fill: var(--stuck); } .weak { fill: var(--weak); }
.bar text { fill: #fff; } .weak + text { fill: currentColor; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: 6px; }`

interface Placed<I, O> {
  readonly operation: Operation<I, O>
  readonly row: number
  readonly from: number
  readonly to: number
}

/** Events by rank, so that long silences take no room; each client gets as many rows as it had calls at once. */
const layout = <I, O>(operations: ReadonlyArray<Operation<I, O>>) => {
  const times = Array.from(new Set(operations.flatMap(({ call, returned }) => [call, returned ?? call]))).sort(
    (a, b) => a - b
  )
  const rank = new Map(times.map((time, index) => [time, index]))
  const last = times.length
  const rows: Array<{ readonly client: string; free: number }> = []
  const clients = Array.from(new Set(operations.map(({ client }) => client))).sort()
  const placed = clients.flatMap((client) => {
    const own = operations.filter((operation) => operation.client === client).sort((a, b) => a.call - b.call)
    return own.map((operation): Placed<I, O> => {
      const from = rank.get(operation.call)!
      const to = operation.returned === undefined ? last : rank.get(operation.returned)!
      let row = rows.findIndex((lane) => lane.client === client && lane.free < from)
      if (row === -1) row = rows.push({ client, free: -1 }) - 1
      rows[row]!.free = to
      return { operation, row, from, to }
    })
  })
  return { placed, rows, columns: last + 1 }
}

/** The whole page. `text` is the rendering of the same counterexample as text. */
export const timelineHtml = <S, I, O>(model: Model<S, I, O>, example: Counterexample<I, O>, text: string): string => {
  const operations = [...example.operations, ...example.powerless.slice(0, powerlessShownMax)]
  const { columns, placed, rows } = layout(operations)
  const order = new Map(example.deepest.map(({ id }, index) => [id, index + 1]))
  const core = new Set(example.operations.map(({ id }) => id))
  const left = 110
  const cell = Math.max(60, Math.floor(1000 / columns))
  const height = 34
  const lanes = rows.map(({ client }, row) => {
    const y = row * height + height
    const line = `<line class="lane" x1="${left}" x2="${left + columns * cell}" y1="${y}" y2="${y}"/>`
    return `<text x="4" y="${y - 11}">${escape(client)}</text>${line}`
  })
  const bars = placed.map(({ from, operation, row, to }) => {
    const number = order.get(operation.id)
    const kind = !core.has(operation.id) ? "weak" : number === undefined ? "stuck" : "placed"
    const what = model.show(operation.input, operation.output)
    const x = left + from * cell
    const width = Math.max(8, (to - from) * cell - 4 + (operation.output === unknown ? 0 : cell / 2))
    const y = row * height + 8
    const when = `${operation.client} from ${operation.call} to ${operation.returned ?? "unknown"}`
    const label = `${number === undefined ? "" : `${number}: `}${what}`
    return (
      `<g class="bar"><title>${escape(`${when}: ${what}`)}</title>` +
      `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="22" rx="4"/>` +
      `<text x="${x + 6}" y="${y + 15}">${escape(label)}</text></g>`
    )
  })
  const title = `Not linearizable: ${model.name}${example.partition === undefined ? "" : ` ${example.partition}`}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><style>${style}</style></head>
<body><h1>${escape(title)}</h1>
<p>Green: the longest order found, numbered. Red: what cannot follow it. Grey: operations that cannot help.</p>
<figure><svg viewBox="0 0 ${left + columns * cell + 20} ${rows.length * height + 10}" role="img" aria-label="${escape(title)}">
${lanes.join("\n")}
${bars.join("\n")}
</svg></figure>
<pre>${escape(text)}</pre></body></html>
`
}
