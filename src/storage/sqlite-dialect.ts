/** Kysely over node:sqlite: its own SQLite dialect, fed with the one built-in driver that needs no install script. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Dialect, Kysely, SqliteDatabase, SqliteStatement } from 'kysely'
import { SqliteAdapter, SqliteDriver, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'

const STATEMENTS_MAX = 256

/** A text that holds U+0000, which PostgreSQL cannot store; refused here too, so that both engines agree. */
export class NulInText extends Error {}

/** Makes a dialect over an open database. Statements are prepared once; the 256 used last are kept. */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new TransactionalSqliteAdapter(),
    createDriver: () => new SqliteDriver({ database: withStatementCache(database) }),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** SQLite does roll back DDL; Kysely only assumes otherwise. With this a migration happens wholly or not at all. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

function withStatementCache(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  return {
    close: () => {
      statements.clear()
      database.close()
    },
    prepare(sql) {
      let statement = statements.get(sql)
      if (statement === undefined) {
        statement = adapt(database.prepare(sql))
        if (statements.size >= STATEMENTS_MAX) {
          for (const oldest of statements.keys()) {
            statements.delete(oldest)
            break
          }
        }
      } else {
        statements.delete(sql)
      }
      statements.set(sql, statement)
      return statement
    },
  }
}

function adapt(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: parameters => statement.all(...bindable(parameters)),
    run: parameters => statement.run(...bindable(parameters)),
    iterate: parameters => statement.iterate(...bindable(parameters)),
  }
}

function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  for (const parameter of parameters) {
    if (typeof parameter === 'string' && parameter.includes('\0')) throw new NulInText('U+0000 in a text')
  }
  return parameters as SQLInputValue[]
}
