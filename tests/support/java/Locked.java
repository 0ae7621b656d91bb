import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/** The JVM of Beans with four threads that wait for ever: two for monitors, two for other locks. */
public class Locked {
    private static void monitors(Object first, Object second, CountDownLatch both) {
        thread(() -> {
            synchronized (first) {
                met(both);
                synchronized (second) {
                    throw new IllegalStateException();
                }
            }
        });
    }

    private static void locks(Lock first, Lock second, CountDownLatch both) {
        thread(() -> {
            first.lock();
            met(both);
            second.lock();
        });
    }

    private static void met(CountDownLatch both) {
        both.countDown();
        try {
            both.await();
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void thread(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    public static void main(String[] words) throws Exception {
        Object a = new Object(), b = new Object();
        CountDownLatch two = new CountDownLatch(2), others = new CountDownLatch(2);
        monitors(a, b, two);
        monitors(b, a, two);
        Lock c = new ReentrantLock(), d = new ReentrantLock();
        locks(c, d, others);
        locks(d, c, others);
        Beans.main(words);
    }
}
