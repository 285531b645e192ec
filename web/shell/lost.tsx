import { useRouteError } from 'react-router'
import { keysPath } from '../paths.ts'
import { ButtonLink } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'

/** An address that leads nowhere. */
export function Lost() {
  return (
    <Page title="There is nothing here" about="The address leads to no screen of the console.">
      <ButtonLink to={keysPath()}>Go to the API keys</ButtonLink>
    </Page>
  )
}

/** A screen that broke: most often a console that was built anew under an open page. */
export function Stumble() {
  const error = useRouteError()
  return (
    <div className="shell__main">
      <ErrorNotice title="This screen could not be shown. Load the page again." error={error} />
    </div>
  )
}
