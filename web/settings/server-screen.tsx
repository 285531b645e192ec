import { useQuery } from '@tanstack/react-query'
import { DEGRADED_MODES } from '../../src/domain/degraded-mode.ts'
import { serverQuery } from '../queries.ts'
import { CodeTabs } from '../ui/code-tabs.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { SettingsFrame } from './frame.tsx'
import { MasterKeyPanel } from './master-key-panel.tsx'

const BACKUP = 'pollux backup /backups/pollux-2026-11-21.gz'
const RESTORE = 'POLLUX_DATA_DIR=/srv/new POLLUX_MASTER_KEY=… pollux restore /backups/pollux-2026-11-21.gz'

/** The server that answers: what it is, how it is, and what only its machine can do. */
export function ServerSettingsScreen() {
  const { data: server, error } = useQuery(serverQuery)
  return (
    <SettingsFrame
      title="This Pollux"
      about="What it is set to is said by its environment and read at its start; here one sees it."
    >
      {error !== null && <ErrorNotice title="The server could not be asked" error={error} />}
      <div className="key">
        <div className="key__column">
          {server !== undefined && (
            <section className="panel" aria-labelledby="server-title">
              <h2 id="server-title">The server</h2>
              <dl className="facts">
                <dt>Version</dt>
                <dd>{server.version}</dd>
                <dt>Organization</dt>
                <dd>
                  <code>organizations/1</code>, which is all of this Pollux
                </dd>
                <dt>Upstream</dt>
                <dd>
                  {server.upstream === 'SANDBOX'
                    ? 'the sandbox: answers are made up here, prices are real, nothing is billed'
                    : 'Gemini'}
                </dd>
                <dt>Calls go to</dt>
                <dd>
                  <code>{server.callOrigin ?? location.origin}</code>
                </dd>
                <dt>It sees you at</dt>
                <dd>
                  <code>{server.clientAddress ?? 'no address'}</code>
                </dd>
                <dt>Models with a price</dt>
                <dd>{server.models.length}</dd>
              </dl>
            </section>
          )}
          {server !== undefined && (
            <section className="panel" aria-labelledby="health-title">
              <h2 id="health-title">How it is</h2>
              {server.degradedModes.length === 0 ? (
                <p className="status status--fine">Nothing is away</p>
              ) : (
                <ul className="roles">
                  {server.degradedModes.map(mode => (
                    <li key={mode}>
                      <div>
                        <h3 className="status status--wrong">{mode}</h3>
                        <p>{DEGRADED_MODES[mode].when}</p>
                        <p className="quiet">
                          Calls are {DEGRADED_MODES[mode].calls}: {DEGRADED_MODES[mode].happens}.
                        </p>
                      </div>
                    </li>
                  ))}
                </ul>
              )}
              <p className="quiet">
                Of the node that answered. <code>/readyz</code> says it to load balancers, the metric{' '}
                <code>pollux_degraded</code> to those who watch.
              </p>
            </section>
          )}
        </div>
        <div className="key__column">
          <MasterKeyPanel />
          <section className="panel" aria-labelledby="backup-title">
            <h2 id="backup-title">Backup</h2>
            <p className="quiet">
              On the machine, beside a Pollux that goes on serving. A backup holds no master key: keep that
              elsewhere. Restoring fills an empty place, and verifies what it filled it with.
            </p>
            <CodeTabs
              label="Backup and restore"
              snippets={[
                { id: 'backup', text: 'Back up', code: BACKUP },
                { id: 'restore', text: 'Restore', code: RESTORE },
              ]}
            />
          </section>
        </div>
      </div>
    </SettingsFrame>
  )
}
