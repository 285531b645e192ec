/** Finished operations, written with the change they report (commit.ts). */
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import type { Engine } from './engine.ts'
import type { OperationStore, StoredOperation } from './storage.ts'

export class Operations implements OperationStore {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async find(name: string): Promise<StoredOperation | null> {
    const row = await this.#engine.db
      .selectFrom('operation')
      .selectAll()
      .where('name', '=', name)
      .executeTakeFirst()
    if (row === undefined) return null
    return {
      name: row.name,
      verb: row.verb,
      createTimeMs: row.create_time,
      resource: JSON.parse(row.resource) as Key | Project,
    }
  }

  async purge(createdBeforeMs: number): Promise<number> {
    const { numDeletedRows } = await this.#engine.db
      .deleteFrom('operation')
      .where('create_time', '<', createdBeforeMs)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }
}
