import { retryFailedTask } from '../../rules/retry-failed-task.ts';
import { testReach } from './fixtures.ts';
import { testRetrying } from './retrying.ts';

testReach(retryFailedTask, { on: ['task', 'background'], from: ['RUNNING', 'PAUSED', 'SCHEDULED'], to: ['FAILED'] });
testRetrying(retryFailedTask, 'task');
testRetrying(retryFailedTask, 'background');
