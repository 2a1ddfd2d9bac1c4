import { retryFailedFlow } from '../../rules/retry-failed-flow.ts';
import { testReach } from './fixtures.ts';
import { testRetrying } from './retrying.ts';

testReach(retryFailedFlow, { on: ['flow', 'subflow'], from: ['RUNNING', 'PAUSED', 'SCHEDULED'], to: ['FAILED'] });
testRetrying(retryFailedFlow, 'flow');
testRetrying(retryFailedFlow, 'subflow');
