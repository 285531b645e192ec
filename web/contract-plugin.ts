import { pathToFileURL } from 'node:url'
import { sep } from 'node:path'
import type { Plugin } from 'vite'
import type { Endpoint } from '../src/contract/endpoint.ts'

/**
 * Replaces the endpoint tables by what a client needs of them at run time: method, path, and whether there is a body. The
 * schemas, and with them zod, stay out of the browser; types come from the sources as ever.
 */
export function contractWithoutSchemas(folder: string): Plugin {
  return {
    name: 'contract-without-schemas',
    enforce: 'pre',
    async transform(_code, id) {
      if (!id.startsWith(`${folder}${sep}`) || !/\.v\d+\.ts$/.test(id)) return null
      const exported = (await import(pathToFileURL(id).href)) as Readonly<Record<string, unknown>>
      const lines = Object.entries(exported).flatMap(([name, value]) =>
        isTable(value) ? [`export const ${name} = ${JSON.stringify(withoutSchemas(value))}`] : [],
      )
      return { code: lines.join('\n'), map: null, moduleType: 'js' }
    },
  }
}

type Table = Readonly<Record<string, Endpoint>>

function isTable(value: unknown): value is Table {
  if (typeof value !== 'object' || value === null) return false
  const records = Object.values(value) as Partial<Endpoint>[]
  return records.length > 0 && records.every(record => typeof record?.path === 'string' && 'method' in record)
}

function withoutSchemas(table: Table) {
  return Object.fromEntries(
    Object.entries(table).map(([name, { method, path, body }]) => [
      name,
      { method, path, body: body === null ? null : {} },
    ]),
  )
}
