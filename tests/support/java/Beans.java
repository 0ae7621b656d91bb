import java.beans.ConstructorProperties;
import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.rmi.registry.LocateRegistry;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorServerFactory;
import javax.management.remote.JMXServiceURL;

/** A JVM with many beans, and with beans of every kind that is hard to read. Argument: how many. */
public class Beans {
    public interface ThingMBean {
        int getCount();
        long getBig();
        double getRate();
        float getSingle();
        boolean isOn();
        String getText();
        short getSmall();
        Integer getBoxed();
    }

    public static class Thing implements ThingMBean {
        private final int number;
        private long asked;

        Thing(int number) {
            this.number = number;
        }

        public int getCount() { return number; }
        public long getBig() { return 1000000L * number + ++asked; }
        public double getRate() { return number / 3.0; }
        public float getSingle() { return number * 0.1f; }
        public boolean isOn() { return number % 2 == 0; }
        public String getText() { return "text " + number; }
        public short getSmall() { return (short) number; }
        public Integer getBoxed() { return number + 1000; }
    }

    public interface ThrowsMBean {
        int getGood();
        int getBad();
    }

    public static class Throws implements ThrowsMBean {
        public int getGood() { return 7; }
        public int getBad() { throw new IllegalStateException("not today"); }
    }

    public interface UnserializableMBean {
        int getBefore();
        Object getRunning();
        Object getPerhaps();
        int getYonder();
    }

    public static class Unserializable implements UnserializableMBean {
        public int getBefore() { return 1; }
        public Object getRunning() { return Thread.currentThread(); }
        public Object getPerhaps() { return Optional.of(3); }
        public int getYonder() { return 2; }
    }

    public enum Mood { CALM, ANGRY }

    public interface KindsMBean {
        Date getDate();
        BigInteger getBigInteger();
        BigInteger getNegative();
        BigDecimal getBigDecimal();
        AtomicLong getAtomicLong();
        AtomicInteger getAtomicInteger();
        LongAdder getAdder();
        Mood getMood();
        Character getLetter();
        Long getNothing();
        String getUnicode();
        double getNotANumber();
        double getEndless();
        double getMinusZero();
        double getTiny();
        double getHuge();
        float getThird();
        byte getByte();
        long[] getArray();
        Number getNumber();
        ObjectName getName();
    }

    public static class Kinds implements KindsMBean {
        public Date getDate() { return new Date(1234567890123L); }
        public BigInteger getBigInteger() { return BigInteger.TWO.pow(80); }
        public BigInteger getNegative() { return BigInteger.TEN.negate(); }
        public BigDecimal getBigDecimal() { return new BigDecimal("12.75"); }
        public AtomicLong getAtomicLong() { return new AtomicLong(42); }
        public AtomicInteger getAtomicInteger() { return new AtomicInteger(43); }
        public LongAdder getAdder() { LongAdder a = new LongAdder(); a.add(44); return a; }
        public Mood getMood() { return Mood.ANGRY; }
        public Character getLetter() { return 'x'; }
        public Long getNothing() { return null; }
        public String getUnicode() { return "\u00e9\u0000\ud83d\ude00<a>, b: c"; }
        public double getNotANumber() { return Double.NaN; }
        public double getEndless() { return Double.NEGATIVE_INFINITY; }
        public double getMinusZero() { return -0.0; }
        public double getTiny() { return 0.00025; }
        public double getHuge() { return 12345678.0; }
        public float getThird() { return 1 / 3f; }
        public byte getByte() { return -3; }
        public long[] getArray() { return new long[] {1, 2}; }
        public Number getNumber() { return 5L; }
        public ObjectName getName() { return null; }
    }

    public static class Inner {
        private final long used;
        private final String label;

        @ConstructorProperties({"used", "label"})
        public Inner(long used, String label) {
            this.used = used;
            this.label = label;
        }

        public long getUsed() { return used; }
        public String getLabel() { return label; }
    }

    public static class Outer {
        public Inner getInner() { return new Inner(11, "in"); }
        public int getDepth() { return 2; }
        public Map<String, Inner> getTable() {
            Map<String, Inner> table = new TreeMap<>();
            table.put("k1", new Inner(21, "one"));
            table.put("k2", new Inner(22, "two"));
            return table;
        }
    }

    public interface OpenMXBean {
        Inner getUsage();
        Outer getNested();
        Map<String, Long> getCounts();
        Map<Integer, Inner> getByNumber();
        Mood getMood();
        String[] getNames();
    }

    public static class Open implements OpenMXBean {
        public Inner getUsage() { return new Inner(10, "all"); }
        public Outer getNested() { return new Outer(); }
        public Map<String, Long> getCounts() {
            Map<String, Long> counts = new LinkedHashMap<>();
            counts.put("b", 2L);
            counts.put("a", 1L);
            return counts;
        }
        public Map<Integer, Inner> getByNumber() {
            return new TreeMap<>(Map.of(1, new Inner(31, "x"), 2, new Inner(32, "y")));
        }
        public Mood getMood() { return Mood.CALM; }
        public String[] getNames() { return new String[] {"n"}; }
    }

    /** Serve a second time, in a registry of our own, and forget logins that are idle for a second. */
    static void forgetful(MBeanServer server, int port) throws Exception {
        LocateRegistry.createRegistry(port);
        String url = "service:jmx:rmi:///jndi/rmi://127.0.0.1:" + port + "/forgetful";
        Map<String, Object> environment = Map.of("jmx.remote.x.server.connection.timeout", "1000");
        JMXConnectorServerFactory.newJMXConnectorServer(new JMXServiceURL(url), environment, server).start();
    }

    public static void main(String[] arguments) throws Exception {
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        int count = Integer.parseInt(arguments[0]);
        for (int number = 0; number < count; number++) {
            server.registerMBean(
                    new Thing(number), new ObjectName("bench:type=Thing,name=t" + number + ",topic=a"));
        }
        server.registerMBean(new Throws(), new ObjectName("odd:type=Throws"));
        server.registerMBean(new Unserializable(), new ObjectName("odd:type=Unserializable"));
        server.registerMBean(new Kinds(), new ObjectName("odd:type=Kinds"));
        server.registerMBean(new Open(), new ObjectName("odd:type=Open,key=mine"));
        server.registerMBean(new Throws(), new ObjectName("odd:z=1,type=Order,a=2"));
        server.registerMBean(
                new Throws(), new ObjectName("odd:type=Quoted,name=" + ObjectName.quote("a,b=c:d*?\"")));
        if (arguments.length > 1) {
            forgetful(server, Integer.parseInt(arguments[1]));
        }
        Thread.sleep(Long.MAX_VALUE);
    }
}
